"""The fused class map against interpolation, softmax and argmax."""

from __future__ import annotations

from functools import partial

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.bench.scenario import Scenario
from densevl.ops import class_map

_SMOOTHNESS = 2.4  # grid nodes a bump: about 8 of 150 and 30 of 1203 classes can win in a cell, as in real scenes
_TOLERANCE = 1e-5
_MOST_TIES = 1e-4  # share of the pixels

Labels = tuple[np.ndarray, np.ndarray]


def scenarios() -> list[Scenario]:
    """0.7 megapixels with 150 and 1203 classes, and 12 megapixels with 40; the plain form needs 7 GB at 1203."""
    return [
        _scenario("classmap-150", (150, 28, 42), (683, 1024)),
        _scenario("classmap-1203", (1203, 28, 42), (683, 1024)),
        _scenario("classmap-12mp", (40, 28, 37), (3000, 4000)),
    ]


def smooth_scene(shape: tuple[int, int, int]) -> Tensor:
    """Scores [K, h, w] of a scene with regions: a smooth random field a class."""
    classes, height, width = shape
    bumps = (max(1, round(height / _SMOOTHNESS)), max(1, round(width / _SMOOTHNESS)))
    field = torch.randn((1, classes, *bumps), generator=torch.Generator().manual_seed(0))
    return F.interpolate(field, (height, width), mode="bicubic", align_corners=False)[0]


def plain_class_map(scores: Tensor, size: tuple[int, int]) -> Labels:
    """Labels and winning scores of scores [K, h, w] the plain way: every class at every pixel."""
    full = F.interpolate(scores[None], size, mode="bilinear", align_corners=False)  # [1, K, H, W]
    winner = full.softmax(dim=1).argmax(dim=1)  # [1, H, W]
    return winner[0].numpy(), full.gather(1, winner[:, None])[0, 0].numpy()


def compare_labels(scores: Tensor, ours: Labels, reference: Labels) -> tuple[bool, float]:
    """Equal winning scores to rounding, and equal labels but where two classes tie."""
    gap = float(np.abs(ours[1] - reference[1]).max())
    rows, cols = np.nonzero(ours[0] != reference[0])
    if len(rows) > _MOST_TIES * ours[0].size:
        return False, gap
    size = ours[0].shape
    points = np.stack([(2 * cols + 1) / size[1] - 1, (2 * rows + 1) / size[0] - 1], axis=1)
    grid = torch.from_numpy(points)[None, None].float()  # [1, 1, n, 2], x y in -1..1
    there = F.grid_sample(scores[None], grid, padding_mode="border", align_corners=False)[0, :, 0]  # [K, n]
    ties = there[ours[0][rows, cols].astype(np.int64), torch.arange(len(rows))].numpy() - reference[1][rows, cols]
    return bool(gap <= _TOLERANCE and (np.abs(ties) <= _TOLERANCE).all()), gap


def _scenario(name: str, shape: tuple[int, int, int], size: tuple[int, int]) -> Scenario:
    return Scenario(
        name=name,
        prepare=partial(smooth_scene, shape),
        ours=lambda scores: class_map(scores, size),
        reference=lambda scores: plain_class_map(scores, size),
        compare=compare_labels,
    )
