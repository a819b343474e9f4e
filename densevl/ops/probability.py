"""Probabilities of a score map at any size, one class at a time: memory does not grow with the number of classes."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from densevl.core.structures import ScoreMap
from densevl.ops.resize import Size, interpolate_scores


class ClassProbabilities:
    """What `interpolate_scores` gives, class by class; of logits their softmax over all classes, taken pixel by pixel.

    Args:
        score_map: scores of one picture, probabilities or logits.
        size: (H, W) wanted.

    Raises:
        ShapeError: as `interpolate_scores`.
    """

    def __init__(self, score_map: ScoreMap, size: Size) -> None:
        self.size = size
        self._map = score_map
        self._log_total: Tensor | None = None  # [H, W]
        if score_map.logits:
            total = self._scores(0)
            for index in range(1, len(self)):
                total = torch.logaddexp(total, self._scores(index))
            self._log_total = total

    def __len__(self) -> int:
        """K."""
        return self._map.scores.shape[1]

    def __getitem__(self, index: int) -> Tensor:
        """One class at every pixel: [H, W] float32."""
        scores = self._scores(index)
        return scores if self._log_total is None else (scores - self._log_total).exp()

    def ceiling(self, index: int) -> float:
        """What no pixel of a class exceeds, known without looking at the pixels."""
        return float(self._map.scores[:, index].max()) if self._log_total is None else 1.0

    def _scores(self, index: int) -> Tensor:
        one = replace(self._map, scores=self._map.scores[:, index : index + 1])
        return interpolate_scores(one, self.size)[0]
