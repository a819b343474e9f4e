"""The confusion picture: what is dark, what stands beside it, at any number of classes."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.visualize import draw_confusion
from densevl.visualize.confusion import _colours, _font_within
from densevl.visualize.legend import PAPER


def test_what_is_right_is_blue_what_is_wrong_is_red_and_nothing_is_paper() -> None:
    colours = _colours(np.array([[9, 1, 0], [0, 0, 0], [5, 0, 5]])).astype(int)
    assert colours[0, 0, 2] > colours[0, 0, 0] and colours[2, 0, 0] > colours[2, 0, 2]
    assert (colours[1] == PAPER).all() and (colours[0, 2] == PAPER).all()


def test_a_larger_share_of_its_row_is_darker_and_one_of_a_thousand_is_still_seen() -> None:
    counts = np.array([[100, 0], [0, 1]])
    counts[0, 1] = 1
    colours = _colours(counts).sum(axis=-1)
    assert colours[0, 0] < colours[0, 1] < sum(PAPER) - 30
    assert colours[1, 1] == colours[1].min()


@pytest.mark.parametrize("total", [1, 8, 51, 171, 400, 2000])
def test_any_number_of_classes_gives_a_picture_with_a_cell_for_each_pair(total: int) -> None:
    picture = draw_confusion(np.eye(total, dtype=np.int64), [f"class {k}" for k in range(total)])
    assert picture.dtype == np.uint8 and picture.shape[2] == 3
    blue = (picture.astype(int) == (24, 94, 160)).all(axis=-1)
    assert blue.sum() >= total
    assert max(picture.shape[:2]) <= (2200 if total <= 200 else max(1600, total) + 300)


@pytest.mark.parametrize(("total", "named"), [(171, True), (200, True), (201, False)])
def test_names_of_the_largest_data_sets_fit_beside_their_rows(total: int, named: bool) -> None:
    eye = np.eye(total, dtype=np.int64)
    pictures = [draw_confusion(eye, [word] * total) for word in ("gg", "gggggggggggg")]
    assert (pictures[0].shape[1] < pictures[1].shape[1]) is named


def test_names_are_drawn_up_to_many_classes_and_long_ones_are_cut() -> None:
    eye = np.eye(3, dtype=np.int64)
    short, long, longer = (
        draw_confusion(eye, [letter * n, "b", "c"]) for letter, n in (("x", 1), ("x", 40), ("x", 90))
    )
    assert long.shape[1] > short.shape[1]
    assert np.array_equal(long, longer)


def test_counts_stay_within_their_cells() -> None:
    assert _font_within("7", 40).size == 14
    assert _font_within("888888", 40).getlength("888888") <= 40 < _font_within("88", 40).getlength("888888")
    assert _font_within("8" * 30, 40).size == 6
