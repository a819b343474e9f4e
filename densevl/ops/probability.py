"""From queries to classes, and the probabilities of a score map at any size.

These come one class at a time: memory does not grow with the number of classes.
"""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from densevl.core.errors import ShapeError
from densevl.core.structures import ScoreMap
from densevl.ops.resize import Size, interpolate_scores, log_total


def best_query(scores: Tensor, class_index: Tensor, num_classes: int) -> Tensor:
    """Scores of queries -> of classes, the largest of each class's queries.

    Args:
        scores: [..., Q].
        class_index: [Q] long, the class of each query; every class 0..K-1 has one.
        num_classes: K.

    Returns:
        [..., K].

    Raises:
        ShapeError: there is not one class for each query.
    """
    if scores.ndim == 0 or tuple(class_index.shape) != (scores.shape[-1],):
        raise ShapeError(f"expected scores [..., {class_index.numel()}] of queries, got {tuple(scores.shape)}")
    if scores.shape[-1] == num_classes:
        return scores[..., class_index.argsort()]
    lowest = scores.new_full((*scores.shape[:-1], num_classes), -torch.inf)  # [..., K]
    return lowest.scatter_reduce(-1, class_index.expand(scores.shape), scores, "amax")


class ClassProbabilities:
    """Class by class what `interpolate_scores` gives of it, or the largest of its queries; of logits after a softmax.

    The softmax goes over all rows of the map, classes or queries, pixel by pixel; what is muted has none.

    Args:
        score_map: scores of one picture, probabilities or logits, of classes or queries.
        size: (H, W) wanted.

    Raises:
        ShapeError: as `interpolate_scores`.
    """

    def __init__(self, score_map: ScoreMap, size: Size) -> None:
        self.size = size
        self._map = score_map
        self._rows = _rows_of_classes(score_map)
        self._log_total = log_total(score_map, size) if score_map.logits else None  # [H, W]

    def __len__(self) -> int:
        """K."""
        return len(self._rows)

    def __getitem__(self, index: int) -> Tensor:
        """One class at every pixel: [H, W] float32."""
        if not self._rows[index]:
            return torch.zeros(self.size, device=self._map.scores.device)
        first, *others = self._rows[index]
        scores = self._scores(first)
        for row in others:
            scores = torch.maximum(scores, self._scores(row))
        return scores if self._log_total is None else (scores - self._log_total).exp()

    def ceiling(self, index: int) -> float:
        """What no pixel of a class exceeds, known without looking at the pixels."""
        if not self._rows[index]:
            return 0.0
        return float(self._map.scores[:, self._rows[index]].max()) if self._log_total is None else 1.0

    def _scores(self, row: int) -> Tensor:
        one = replace(self._map, scores=self._map.scores[:, row : row + 1], class_index=None, muted=None)
        return interpolate_scores(one, self.size)[0]


def _rows_of_classes(score_map: ScoreMap) -> list[list[int]]:
    """The rows of each class that are not muted."""
    count = score_map.scores.shape[1]
    classes = range(count) if score_map.class_index is None else score_map.class_index.tolist()
    muted = [False] * count if score_map.muted is None else score_map.muted.tolist()
    rows: list[list[int]] = [[] for _ in range(score_map.num_classes)]
    for row, class_id in enumerate(classes):
        if not muted[row]:
            rows[class_id].append(row)
    return rows
