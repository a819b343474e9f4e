"""Where a view is cut out of a frame: pure integers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np

from densevl.core.errors import ShapeError, UnknownNameError, UsageError
from video.draws import Draws, draw_below

MULTI_SCALES = (1.0, 0.875, 0.75, 0.66)
SNAP_PIXELS = 3  # a side that comes this close to the model's size is taken as that size
SCALE_STEPS_APART = 1  # how far apart the scales of width and height may lie


class Box(NamedTuple):
    """A part of a frame in pixels: rows [top, top + height), columns [left, left + width)."""

    top: int
    left: int
    height: int
    width: int


_ALONG: dict[str, Callable[[int], tuple[int, ...]]] = {
    "centre": lambda margin: (margin // 2,),
    "three": lambda margin: (0, margin // 2 * 2, margin // 2),
    "spread3": lambda margin: (0, margin // 2, margin),
    "spread4": lambda margin: (0, margin // 4, margin // 2, margin),
}
CROPS = tuple(_ALONG)


def crop_boxes(height: int, width: int, *, size: int, crops: str = "centre") -> list[Box]:
    """Square crops of one frame along its longer side, in the middle of the shorter one.

    Args:
        height: rows of the frame.
        width: columns of the frame.
        size: rows and columns of a crop.
        crops: `centre` one crop; `three` the first, the last and the middle one, by steps of half the margin, so that
            an odd margin leaves its last pixel out; `spread3`, `spread4` from the first to the last pixel.

    Returns:
        The boxes, in the order of the views.

    Raises:
        UnknownNameError: crops is none of those above.
        ShapeError: the crop does not fit into the frame.

    Source: mmaction2 0.x `CenterCrop`, `ThreeCrop`; M2-CLIP (AAAI 2024) for the spread ones.
    """
    if crops not in _ALONG:
        raise UnknownNameError("crops", crops, _ALONG)
    if not 1 <= size <= min(height, width):
        raise ShapeError(f"a crop of {size}x{size} does not fit into a frame of {height}x{width}: resize it first")
    across = (min(height, width) - size) // 2
    along = _ALONG[crops](max(height, width) - size)
    if height > width:
        return [Box(place, across, size, size) for place in along]
    return [Box(across, place, size, size) for place in along]


def multi_scale_box(height: int, width: int, *, size: int, rng: Draws, scales: Sequence[float] = MULTI_SCALES) -> Box:
    """A drawn box of one of several scales at a corner or in the centre, for training.

    Args:
        height: rows of the frame.
        width: columns of the frame.
        size: rows and columns that the model takes; a side less than 3 pixels off becomes this.
        rng: a seeded generator; two draws.
        scales: sides of the box as a part of the frame's shorter side, in (0, 1].

    Returns:
        The box; its sides may be of neighbouring scales.

    Raises:
        UsageError: a scale is not in (0, 1].

    Source: TSN (ECCV 2016), section 3.2, scale jittering and corner cropping.
    """
    if not scales or not all(0 < scale <= 1 for scale in scales):
        raise UsageError(f"expected scales in (0, 1], got {list(scales)}")
    sides = [max(1, int(min(height, width) * scale)) for scale in scales]
    pairs = [
        (rows, columns)
        for i, rows in enumerate(sides)
        for j, columns in enumerate(sides)
        if abs(i - j) <= SCALE_STEPS_APART
    ]
    rows, columns = pairs[_draw(rng, len(pairs))]
    rows, columns = _snap(rows, size, height), _snap(columns, size, width)
    down, right = (height - rows) // 4, (width - columns) // 4
    places = [(0, 0), (0, 4 * right), (4 * down, 0), (4 * down, 4 * right), (2 * down, 2 * right)]
    top, left = places[_draw(rng, len(places))]
    return Box(top, left, rows, columns)


def _draw(rng: Draws, count: int) -> int:
    return int(draw_below(rng, np.array([count]))[0])


def _snap(side: int, size: int, most: int) -> int:
    return size if abs(side - size) < SNAP_PIXELS and size <= most else side
