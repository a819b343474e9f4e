"""Top-1, top-5 and mean class accuracy: integer counts, so that those of shards and processes add up to one run's."""

from __future__ import annotations

from typing import Any

import numpy as np

from densevl.core.errors import DataError, ShapeError, UsageError

TOP = 5


class ClassificationReport:
    """Counts of scored items against their classes; `update` per batch, `compute` at the end, `merge` over shards.

    Of equal scores the class earlier in the list ranks first, so the same scores give the same figures everywhere. With
    fewer than five classes, "top-5" is top-K: always 100 per cent of what was answered.

    Args:
        num_classes: K.

    Raises:
        UsageError: no class.
    """

    def __init__(self, num_classes: int) -> None:
        if num_classes < 1:
            raise UsageError(f"expected at least one class, got {num_classes}")
        self.num_classes = num_classes
        self._answers = np.zeros((num_classes, num_classes + 1), dtype=np.int64)  # last column: no answer
        self._top5 = np.zeros(num_classes, dtype=np.int64)
        self._skipped = 0

    @property
    def confusion(self) -> np.ndarray:
        """[K, K] int64: rows label, columns prediction. Items without an answer are in no column."""
        return self._answers[:, :-1].copy()

    @property
    def counts(self) -> np.ndarray:
        """[K * (K + 1) + K + 1] int64: everything counted, to be summed over processes."""
        return np.concatenate([self._answers.ravel(), self._top5, [self._skipped]])

    def add_counts(self, counts: np.ndarray) -> None:
        """Add the `counts` of another report.

        Raises:
            ShapeError: they are of other classes.
        """
        counts = np.asarray(counts)
        size, top5 = self._answers.size, self.num_classes
        if counts.shape != (size + top5 + 1,) or counts.dtype.kind not in "iu":
            expected = f"counts of {self.num_classes} classes, {size + top5 + 1} integers"
            raise ShapeError(f"expected {expected}, got {counts.dtype} {list(counts.shape)}")
        self._answers += counts[:size].reshape(self._answers.shape)
        self._top5 += counts[size : size + top5]
        self._skipped += int(counts[-1])

    def merge(self, other: ClassificationReport) -> None:
        """Add the counts of another shard.

        Raises:
            ShapeError: it counts other classes.
        """
        self.add_counts(other.counts)

    def update(self, scores: np.ndarray, labels: np.ndarray) -> None:
        """Add items that were answered.

        Args:
            scores: [B, K], greater is likelier.
            labels: [B] integers 0..K-1.

        Raises:
            ShapeError: other shapes or kinds, or a score that is no number.
            DataError: a label that is no class.
        """
        scores, labels = np.asarray(scores), np.asarray(labels)
        if scores.shape != (len(labels), self.num_classes) or np.isnan(scores).any():
            expected = f"scores [{len(labels)}, {self.num_classes}] without NaN, one row a label"
            raise ShapeError(f"expected {expected}, got {list(scores.shape)}, {int(np.isnan(scores).sum())} NaN")
        self._check_labels(labels)
        self.update_ranked(scores.argmax(axis=1), rank_of_label(scores, labels), labels)

    def update_ranked(self, predictions: np.ndarray, ranks: np.ndarray, labels: np.ndarray) -> None:
        """Add answered items by their best class [B] and the place of the right one, `rank_of_label` [B].

        Raises:
            ShapeError: no integers [B]. DataError: a label or prediction that is no class.
        """
        predictions, ranks, labels = (np.asarray(values) for values in (predictions, ranks, labels))
        self._check_labels(labels)
        self._check_labels(predictions)
        if not predictions.shape == ranks.shape == labels.shape:
            shapes = f"{list(predictions.shape)}, {list(ranks.shape)} and {list(labels.shape)}"
            raise ShapeError(f"expected a prediction and a rank for each label, got {shapes}")
        np.add.at(self._answers, (labels, predictions), 1)
        self._top5 += np.bincount(labels[ranks < TOP], minlength=self.num_classes)

    def miss(self, labels: np.ndarray) -> None:
        """Add items without an answer, such as files that cannot be read, that count as wrong: [B] labels.

        Raises:
            ShapeError: no integers [B]. DataError: a label that is no class.
        """
        labels = np.asarray(labels)
        self._check_labels(labels)
        self._answers[:, -1] += np.bincount(labels, minlength=self.num_classes)

    def skip(self, count: int = 1) -> None:
        """Note items that are left out: of all figures but the coverage."""
        self._skipped += count

    def compute(self) -> dict[str, Any]:
        """The figures so far.

        Returns:
            top1, top5 (over items) and mean_class (mean of the classes' accuracies) in per cent; NaN where nothing is
            counted. top5_of: 5, or K below five classes. accuracy and top5_accuracy, [K] fractions: NaN for a class
            without items, which is left out of the mean; items: [K] how many. counted = answered + unanswered, skipped;
            coverage: answered as a share of all of them.
        """
        items = self._answers.sum(axis=1)  # [K]
        hits, counted = self._answers.diagonal(), int(items.sum())
        unanswered = int(self._answers[:, -1].sum())
        with np.errstate(invalid="ignore"):
            accuracy, top5 = hits / items, self._top5 / items
        known = accuracy[items > 0]
        return {
            "top1": _percent(int(hits.sum()), counted),
            "top5": _percent(int(self._top5.sum()), counted),
            "mean_class": float(100 * known.mean()) if known.size else float("nan"),
            "top5_of": min(TOP, self.num_classes),
            "accuracy": accuracy,
            "top5_accuracy": top5,
            "items": items,
            "counted": counted,
            "answered": counted - unanswered,
            "unanswered": unanswered,
            "skipped": self._skipped,
            "coverage": _percent(counted - unanswered, counted + self._skipped) / 100,
        }

    def _check_labels(self, labels: np.ndarray) -> None:
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            raise ShapeError(f"expected integer labels [B], got {labels.dtype} {list(labels.shape)}")
        stray = labels[(labels < 0) | (labels >= self.num_classes)]
        if stray.size:
            span = f"0..{self.num_classes - 1}"
            raise DataError(f"expected labels {span}, got {int(stray[0])}; take the class list that belongs to them")


def rank_of_label(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Scores [B, K] and labels [B] -> [B] place of the right class among all, 0 the best; of equals, the earlier."""
    own = np.take_along_axis(scores, labels[:, None].astype(np.int64), axis=1)  # [B, 1]
    earlier = np.arange(scores.shape[1]) < labels[:, None]  # [B, K]
    before = (scores > own) | ((scores == own) & earlier)  # [B, K]
    places: np.ndarray = before.sum(axis=1)
    return places


def _percent(part: int, whole: int) -> float:
    return 100 * part / whole if whole else float("nan")
