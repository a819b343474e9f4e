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
        box: x0 y0 x1 y1 of its pixels, the last ones included.
        mask: [h, w] bool, its pixels within the box.
        point: x y of its largest score; the first one row by row where several are equal.
    """

    box: tuple[int, int, int, int]
    mask: np.ndarray
    point: tuple[int, int]


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
                box=(left, top, left + width - 1, top + height - 1),
                mask=inside,
                point=(left + best % width, top + best // width),
            )
        )
    # OpenCV numbers them by blocks of two rows
    return sorted(regions, key=lambda region: (region.box[1], region.box[0] + int(region.mask[0].argmax())))


def add_region(mask: np.ndarray, region: Region) -> None:
    """Set the pixels of a region in a mask [H, W] bool."""
    x0, y0, x1, y1 = region.box
    mask[y0 : y1 + 1, x0 : x1 + 1] |= region.mask
