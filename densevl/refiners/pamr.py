"""PAMR over the scores of a whole picture."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from densevl.core.errors import UsageError
from densevl.core.structures import ScoreMap, TextBank
from densevl.data.transforms import resize_picture, to_pixels
from densevl.ops.pamr import pamr
from densevl.ops.resize import interpolate_scores


@dataclass(frozen=True)
class PAMRRefiner:
    """Scores of a picture -> scores that follow its edges, of any model; see `ops.pamr`.

    Windows are averaged first, then the scores, of queries where the model has those, are interpolated to the picture's
    own size and refined there: the whole [K, H, W], which is why a budget bounds it. Within the budget this is the
    published way, but that colours are the picture's own: the codes of SCLIP, NACLIP and Trident take those of the
    picture as the model saw it, brought back to that size. Beyond the budget everything happens on a smaller grid of
    the same shape, where the same distances reach further, and the labels are interpolated from there: cheaper, and
    coarser than the picture.

    The numbers are those of Araslanov & Roth; Trident's code takes no step unless told, at distances (8, 16).

    Attributes:
        steps: how often every pixel takes the mean of its neighbours; 0 leaves the scores alone.
        dilations: distances of the neighbours in pixels of the grid, eight each.
        budget: numbers held: (classes or queries + neighbours) x pixels of the grid. 2^25 are 128 MiB, a picture of
            0.57 MP with 11 classes or of 0.17 MP with 150; at most 2.5 times that was measured in use.
    """

    whole_picture: ClassVar[bool] = True
    steps: int = 10
    dilations: Sequence[int] = (1, 2, 4, 8, 12, 24)
    budget: int = 1 << 25

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.steps < 0 or not self.dilations or min(self.dilations) < 1 or self.budget < 1:
            raise UsageError(
                "expected steps of at least 0, distances of at least 1 px and a budget of at least 1 number, got "
                f"{self.steps}, {tuple(self.dilations)}, {self.budget}"
            )

    def __call__(self, score_map: ScoreMap, *, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        """Refine."""
        if not self.steps:
            return score_map
        size = self.grid((picture.shape[0], picture.shape[1]), score_map.scores.shape[1])
        scores = interpolate_scores(score_map, size)[None]  # [1, K, h, w]
        pixels = to_pixels(resize_picture(picture, size), scores.device)
        refined = pamr(pixels, scores, steps=self.steps, dilations=self.dilations)
        return replace(score_map, scores=refined, extent=score_map.canvas, boxes=None)

    def grid(self, size: tuple[int, int], num_scores: int) -> tuple[int, int]:
        """(h, w) on which a picture of size (H, W) is refined: its own, or as much of it as the budget holds."""
        numbers = (num_scores + 8 * len(self.dilations)) * size[0] * size[1]
        scale = min(1.0, math.sqrt(self.budget / numbers))
        return max(1, int(size[0] * scale)), max(1, int(size[1] * scale))
