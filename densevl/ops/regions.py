"""Connected regions of a mask: what prompts are made of."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np

from densevl.core.errors import ShapeError


@dataclass(frozen=True, eq=False)
class Region:
    """One connected region.

    Attributes:
        mask: [H, W] bool.
        box: x0 y0 x1 y1 of its pixels, the last ones included.
        point: x y of its largest score; the first one row by row where several are equal.
        score: mean over its pixels.
    """

    mask: np.ndarray
    box: tuple[int, int, int, int]
    point: tuple[int, int]
    score: float


def connected_regions(mask: np.ndarray, scores: np.ndarray, *, least_area: int = 1) -> list[Region]:
    """Regions of a mask whose pixels touch, corners counting.

    Args:
        mask: [H, W] bool.
        scores: [H, W] float, not negative.
        least_area: smaller regions are left out, in pixels.

    Returns:
        The regions in the order of their first pixels, row by row.

    Raises:
        ShapeError: not two maps of one size.
    """
    if mask.ndim != 2 or mask.dtype != bool or mask.shape != scores.shape:
        raise ShapeError(f"expected a bool mask and scores [H, W], got {mask.dtype} {mask.shape} and {scores.shape}")
    _, numbers, stats, _ = cv2.connectedComponentsWithStats(mask.view(np.uint8), connectivity=8)
    regions = []
    for number in np.flatnonzero(stats[1:, cv2.CC_STAT_AREA] >= least_area) + 1:
        left, top, width, height, _ = stats[number].tolist()
        window = slice(top, top + height), slice(left, left + width)
        inside = numbers[window] == number
        best = int(np.where(inside, scores[window], -1.0).argmax())
        regions.append(
            Region(
                mask=numbers == number,
                box=(left, top, left + width - 1, top + height - 1),
                point=(left + best % width, top + best // width),
                score=float(scores[window][inside].mean()),
            )
        )
    return regions
