import numpy as np
import pytest

from densevl.visualize.legend import PAPER, LegendRow, attach_legend
from tests.densevl.visualize.results import make_picture

ROWS = [
    LegendRow((200, 30, 30), "wall", "60%"),
    LegendRow((30, 30, 200), "sky", "39%"),
    LegendRow(None, "+2 more", "1%"),
]


@pytest.mark.parametrize(("height", "width"), [(1, 1), (400, 300), (300, 400), (90, 2000), (2000, 90), (16, 4096)])
def test_the_picture_stays_whole_in_the_corner_and_the_legend_lies_outside(height, width):
    picture = make_picture(height, width)
    sheet = attach_legend(picture, ROWS)
    assert sheet.dtype == np.uint8
    assert np.array_equal(sheet[:height, :width], picture)
    outside = np.ones(sheet.shape[:2], dtype=bool)
    outside[:height, :width] = False
    for row in ROWS[:2]:
        assert (sheet[outside] == row.colour).all(axis=1).any()
    assert (sheet[outside] == PAPER).all(axis=1).mean() > 0.5


@pytest.mark.parametrize(("height", "width", "side"), [(90, 3000, 1), (2000, 300, 0)])
def test_a_legend_goes_below_a_wide_picture_and_beside_a_tall_one(height, width, side):
    assert attach_legend(make_picture(height, width), ROWS).shape[side] == (height, width)[side]


def test_rows_are_set_in_columns_where_the_width_allows():
    rows = [LegendRow((9, 9, 99), f"class {k}", "5%") for k in range(20)]
    assert attach_legend(make_picture(200, 3000), rows).shape[0] < 400


@pytest.mark.parametrize("name", ["東京", "مرحبا", "Ünïcode", "😀", "a\nb\tc", "\ud800", "", "x" * 500, "\x00"])
def test_any_name_can_be_drawn(name):
    sheet = attach_legend(make_picture(60, 80), [LegendRow((9, 9, 9), name, "100%")])
    assert sheet.shape[1] < 700


def test_the_type_grows_with_the_picture():
    small, large = (attach_legend(make_picture(side, side), ROWS).shape[0] - side for side in (200, 1400))
    assert large > small
