"""The fused class map against interpolation, softmax and argmax."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from densevl.bench.scenario import Scenario

if TYPE_CHECKING:
    from torch import Tensor

_TOLERANCE = 1e-5
_MOST_TIES = 1e-4  # share of the pixels

Labels = tuple[np.ndarray, np.ndarray]


def scenarios() -> list[Scenario]:
    """0.7 megapixels with 150 and 1203 classes, and 12 megapixels with 40.

    The plain form needs 0.9, 7 and 4 GB. The smoothness leaves about 8 of 150 and 28 of 1203 classes that can win in
    a cell, as measured on real scenes.
    """
    return [
        _scenario("classmap-150", (150, 28, 42), (683, 1024), 3.0),
        _scenario("classmap-1203", (1203, 28, 42), (683, 1024), 2.6),
        _scenario("classmap-12mp", (40, 28, 37), (3000, 4000), 2.4),
    ]


def smooth_scene(shape: tuple[int, int, int], smoothness: float) -> Tensor:
    """Scores [K, h, w] of a scene with regions: for each class a random field with a bump every `smoothness` nodes."""
    import torch
    import torch.nn.functional as F

    classes, height, width = shape
    bumps = (max(1, round(height / smoothness)), max(1, round(width / smoothness)))
    field = torch.randn((1, classes, *bumps), generator=torch.Generator().manual_seed(0))
    return F.interpolate(field, (height, width), mode="bicubic", align_corners=False)[0]


def plain_class_map(scores: Tensor, size: tuple[int, int]) -> Labels:
    """Labels and winning scores of scores [K, h, w] the plain way: every class at every pixel."""
    import torch.nn.functional as F

    full = F.interpolate(scores[None], size, mode="bilinear", align_corners=False)  # [1, K, H, W]
    winner = full.softmax(dim=1).argmax(dim=1)  # [1, H, W]
    return winner[0].numpy(), full.gather(1, winner[:, None])[0, 0].numpy()


def fused_class_map(scores: Tensor, size: tuple[int, int]) -> Labels:
    """The same with our class map."""
    from densevl.ops import class_map

    return class_map(scores, size)


def compare_labels(scores: Tensor, ours: Labels, reference: Labels) -> tuple[bool, float]:
    """Equal winning scores to rounding, and equal labels but where two classes tie."""
    import torch
    import torch.nn.functional as F

    gap = float(np.abs(ours[1] - reference[1]).max())
    rows, cols = np.nonzero(ours[0] != reference[0])
    if len(rows) > _MOST_TIES * ours[0].size:
        return False, gap
    height, width = ours[0].shape
    places = torch.from_numpy(np.stack([(2 * cols + 1) / width - 1, (2 * rows + 1) / height - 1], axis=1)).float()
    there = F.grid_sample(scores[None], places[None, None], padding_mode="border", align_corners=False)[0, :, 0]
    chosen = there[ours[0][rows, cols].astype(np.int64), torch.arange(len(rows))].numpy()  # [K, n] -> [n]
    tied = np.abs(chosen - reference[1][rows, cols]) <= _TOLERANCE
    return bool(gap <= _TOLERANCE and tied.all()), gap


def _scenario(name: str, shape: tuple[int, int, int], size: tuple[int, int], smoothness: float) -> Scenario:
    return Scenario(
        name=name,
        prepare=lambda: smooth_scene(shape, smoothness),
        ours=lambda scores: fused_class_map(scores, size),
        reference=lambda scores: plain_class_map(scores, size),
        compare=compare_labels,
    )
