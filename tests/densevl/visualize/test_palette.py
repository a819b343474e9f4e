import numpy as np
import pytest

from densevl.visualize.palette import NO_LABEL_COLOUR, palette, png_palette


@pytest.mark.parametrize("num_classes", [0, 1, 3, 256, 257, 1203, 5000])
def test_every_class_has_a_colour(num_classes):
    colours = palette(num_classes)
    assert colours.shape == (num_classes, 3)
    assert colours.dtype == np.uint8


def test_a_colour_depends_on_the_id_alone():
    longest = palette(1203)
    for num_classes in (1, 21, 150, 256, 257):
        assert np.array_equal(palette(num_classes), longest[:num_classes])


def test_4096_classes_have_4096_colours():
    assert len(np.unique(palette(4096), axis=0)) == 4096


def test_the_first_20_colours_are_far_apart():
    colours = palette(20).astype(int)
    apart = np.abs(colours[:, None] - colours[None]).sum(axis=-1)
    assert apart[~np.eye(20, dtype=bool)].min() > 60


def test_no_colour_looks_like_no_label():
    assert np.abs(palette(1203).astype(int) - NO_LABEL_COLOUR).sum(axis=1).min() > 60


def test_a_caller_cannot_spoil_the_palette_of_the_next():
    palette(3)[:] = 0
    assert palette(3).any()


def test_the_png_palette_has_256_entries_and_black_beyond_the_classes():
    entries = np.frombuffer(png_palette(3), np.uint8).reshape(256, 3)
    assert np.array_equal(entries[:3], palette(3))
    assert not entries[3:].any()
