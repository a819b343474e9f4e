"""Mean intersection over union, counted as MMSegmentation counts it."""

from __future__ import annotations

from typing import Any

import numpy as np

from densevl.core.errors import ShapeError
from densevl.metrics.counted import Counted
from densevl.metrics.maps import check_classes, check_maps, stray_label


class MeanIoU(Counted):
    """Counts of label maps against annotations; `update` per picture, `compute` at the end, `merge` over shards.

    Source: MMSegmentation, IoUMetric (the definition).
    """

    def __init__(self, num_classes: int, ignore_index: int = 255) -> None:
        """Start at zero.

        Args:
            num_classes: K.
            ignore_index: label of pixels that are left out; above 255 classes give 65535.

        Raises:
            UsageError: no class, or an ignored id that is a class.
        """
        check_classes(num_classes, ignore_index)
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self._pairs = np.zeros((num_classes, num_classes + 1), dtype=np.int64)  # last column: no class
        super().__init__(self._pairs.reshape(-1, 1), num_classes=num_classes)  # row: label * (K + 1) + prediction

    @property
    def confusion(self) -> np.ndarray:
        """[K, K] int64: rows label, columns prediction. Pixels predicted as no class are in no column."""
        return self._pairs[:, :-1].copy()

    @property
    def label_area(self) -> np.ndarray:
        """[K] int64: scored pixels of each class, those predicted as no class too."""
        area: np.ndarray = self._pairs.sum(axis=1)
        return area

    def update(self, pred: np.ndarray, label: np.ndarray) -> None:
        """Add one picture.

        Args:
            pred: [H, W] integer class ids; any id outside 0..K-1, such as "no label", is wrong everywhere.
            label: [H, W] integer class ids.

        Raises:
            ShapeError: the maps differ in size or hold no integers.
            DataError: a label outside 0..K-1 that is not ignored.
        """
        pred, label = check_maps(pred, label)
        counts, stray = _count_pairs()(pred.ravel(), label.ravel(), self.num_classes, self.ignore_index)
        if stray >= 0:
            raise stray_label(int(label.ravel()[stray]), self.num_classes, self.ignore_index)
        self._pairs += counts

    def compute(self) -> dict[str, Any]:
        """The figures so far.

        Returns:
            mIoU, mAcc (means over classes), aAcc (over pixels) and fwIoU (IoU weighted by label area) in per cent;
            IoU and Acc, [K] fractions: IoU is NaN for a class in neither map, Acc for a class in no label, and NaN
            is left out of the means.
        """
        hits = self._pairs.diagonal().astype(np.float64)
        label_area = self.label_area
        union = label_area + self._pairs[:, :-1].sum(axis=0) - hits
        with np.errstate(invalid="ignore", divide="ignore"):
            iou, acc = hits / union, hits / label_area
            share = label_area / label_area.sum()
            figures = {"mIoU": _mean(iou), "mAcc": _mean(acc), "aAcc": hits.sum() / label_area.sum()}
        figures["fwIoU"] = np.nansum(share * iou) if label_area.any() else np.nan
        return {**{name: float(100 * value) for name, value in figures.items()}, "IoU": iou, "Acc": acc}


def reduce_zero_label(label: np.ndarray) -> np.ndarray:
    """Ids of data sets that count from 1: 0 becomes the ignored 255, all others go down by one, 255 stays.

    Args:
        label: uint8, any shape.

    Returns:
        A new uint8 array of the same shape.

    Raises:
        ShapeError: not uint8.
    """
    if label.dtype != np.uint8:
        raise ShapeError(f"expected an uint8 label map, got {label.dtype}")
    return np.where((label == 0) | (label == 255), np.uint8(255), label - np.uint8(1))


def _mean(values: np.ndarray) -> float:
    """Mean over the numbers that are no NaN; NaN where there is none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def _count_pairs() -> Any:
    """The compiled counter, or the plain one where numba is absent."""
    try:
        from densevl.metrics.kernels import count_pairs
    except ImportError:
        return _count_pairs_plain
    return count_pairs


def _count_pairs_plain(pred: np.ndarray, label: np.ndarray, classes: int, ignore_index: int) -> tuple[np.ndarray, int]:
    """As `kernels.count_pairs`, with numpy."""
    strays = (label != ignore_index) & ((label < 0) | (label >= classes))
    valid = (label != ignore_index) & ~strays
    rows, columns = label[valid].astype(np.int64), pred[valid].astype(np.int64)
    columns[(columns < 0) | (columns >= classes)] = classes
    counts = np.bincount(rows * (classes + 1) + columns, minlength=classes * (classes + 1))
    return counts.reshape(classes, classes + 1), int(strays.argmax()) if strays.any() else -1
