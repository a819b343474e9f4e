from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import ShapeError
from densevl.ops.regions import add_region, connected_regions

PICTURE = """
.##....#
##......
..#...##
.......#
"""
MASK = np.array([[letter == "#" for letter in row] for row in PICTURE.split()])
SCORES = np.linspace(0.0, 1.0, MASK.size, dtype=np.float32).reshape(MASK.shape)


def test_pixels_that_touch_at_a_corner_are_one_region() -> None:
    regions = connected_regions(MASK, SCORES)
    assert [int(region.mask.sum()) for region in regions] == [5, 1, 3]
    found = np.zeros_like(MASK)
    for region in regions:
        add_region(found, region)
    np.testing.assert_array_equal(found, MASK)


def test_regions_stand_in_the_order_of_their_first_pixels() -> None:
    mask = np.zeros((6, 12), dtype=bool)
    mask[3, 1] = mask[2, 9] = mask[2, 6] = True  # OpenCV counts two rows at a time, from the left
    regions = connected_regions(mask, mask.astype(np.float32))
    assert [region.box[:2] for region in regions] == [(6, 2), (9, 2), (1, 3)]


def test_a_region_knows_its_box_and_its_best_point() -> None:
    first, _, last = connected_regions(MASK, SCORES)
    assert (first.box, first.point) == ((0, 0, 2, 2), (2, 2))
    assert (last.box, last.point) == ((6, 2, 7, 3), (7, 3))
    flat = connected_regions(MASK, np.zeros_like(SCORES))
    assert [region.point for region in flat] == [(1, 0), (7, 0), (6, 2)]


def test_a_better_score_outside_the_region_is_not_its_point() -> None:
    scores = SCORES.copy()
    scores[1, 2] = 2.0  # inside the first region's box, but no part of it
    assert connected_regions(MASK, scores)[0].point == (2, 2)


def test_small_regions_are_left_out() -> None:
    assert [int(region.mask.sum()) for region in connected_regions(MASK, SCORES, least_area=3)] == [5, 3]
    assert connected_regions(MASK, SCORES, least_area=6) == []
    assert connected_regions(np.zeros_like(MASK), SCORES) == []


def test_maps_of_two_sizes_and_other_masks_are_refused() -> None:
    for mask, scores in ((MASK, SCORES[1:]), (MASK.astype(np.uint8), SCORES), (MASK[None], SCORES[None])):
        with pytest.raises(ShapeError, match=r"bool mask and scores \[H, W\]"):
            connected_regions(mask, scores)
