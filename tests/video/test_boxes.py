"""Boxes within a frame."""

from __future__ import annotations

import random

import numpy as np
import pytest

from densevl.core.errors import ShapeError, UnknownNameError, UsageError
from video.boxes import Box, crop_boxes, multi_scale_box


@pytest.mark.parametrize(
    ("crops", "lefts"), [("centre", [3]), ("three", [0, 6, 3]), ("spread3", [0, 3, 7]), ("spread4", [0, 1, 3, 7])]
)
def test_crops_lie_along_the_longer_side(crops: str, lefts: list[int]) -> None:
    assert crop_boxes(8, 15, size=8, crops=crops) == [Box(0, left, 8, 8) for left in lefts]
    assert crop_boxes(15, 8, size=8, crops=crops) == [Box(left, 0, 8, 8) for left in lefts]


def test_a_crop_smaller_than_both_sides_lies_in_the_middle_of_the_shorter_one() -> None:
    assert crop_boxes(10, 13, size=8) == [Box(1, 2, 8, 8)]
    assert crop_boxes(10, 13, size=8, crops="three") == [Box(1, 0, 8, 8), Box(1, 4, 8, 8), Box(1, 2, 8, 8)]


def test_a_crop_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ShapeError, match="9x9 does not fit into a frame of 8x15"):
        crop_boxes(8, 15, size=9)
    with pytest.raises(UnknownNameError, match="did you mean three"):
        crop_boxes(8, 15, size=8, crops="thre")


@pytest.mark.parametrize(("height", "width"), [(256, 340), (340, 256), (36, 36), (5, 9), (1, 1)])
def test_drawn_boxes_lie_within_the_frame_and_depend_on_the_seed_alone(height: int, width: int) -> None:
    for kind in (random.Random, np.random.RandomState):
        for seed in range(60):
            box = multi_scale_box(height, width, size=224, rng=kind(seed))
            assert box == multi_scale_box(height, width, size=224, rng=kind(seed))
            assert min(box) >= 0 < min(box.height, box.width)
            assert box.top + box.height <= height and box.left + box.width <= width


def test_drawn_boxes_have_neighbouring_scales_and_five_places() -> None:
    rng = random.Random(0)
    boxes = [multi_scale_box(100, 180, size=224, rng=rng, scales=(1, 0.8, 0.5)) for _ in range(2000)]
    sizes = {(box.height, box.width) for box in boxes}
    assert sizes == {(100, 100), (100, 80), (80, 100), (80, 80), (80, 50), (50, 80), (50, 50)}
    assert len({box for box in boxes if box[2:] == (50, 50)}) == 5


def test_a_side_near_the_models_size_becomes_that_size_where_it_fits() -> None:
    assert multi_scale_box(26, 40, size=24, rng=random.Random(0), scales=(1,))[2:] == (24, 24)
    assert multi_scale_box(27, 40, size=24, rng=random.Random(0), scales=(1,))[2:] == (27, 27)
    assert multi_scale_box(22, 22, size=24, rng=random.Random(0), scales=(1,))[2:] == (22, 22)


@pytest.mark.parametrize("scales", [(), (0.0,), (1.2, 1)])
def test_scales_beyond_the_frame_are_refused(scales: tuple[float, ...]) -> None:
    with pytest.raises(UsageError, match="expected scales in"):
        multi_scale_box(8, 8, size=8, rng=random.Random(0), scales=scales)
