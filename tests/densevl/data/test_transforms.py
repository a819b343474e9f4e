import cv2
import numpy as np
import pytest
import torch

from densevl.core.errors import ShapeError, UsageError
from densevl.data.transforms import fit_size, resize_picture, to_pixels

PICTURE = np.random.default_rng(0).integers(0, 256, (30, 41, 3), dtype=np.uint8)


@pytest.mark.parametrize(
    ("size", "expected"),
    [
        ((480, 640), (448, 597)),  # 640 * 448 / 480 = 597.33
        ((640, 480), (597, 448)),
        ((500, 3000), (341, 2048)),  # the longest side decides: 500 * 2048 / 3000 = 341.33
        ((100, 101), (448, 452)),  # 452.48
        ((1, 1), (448, 448)),
        ((1, 5000), (1, 2048)),  # never 0
    ],
)
def test_the_short_side_fits_unless_the_longest_is_too_long(size, expected):
    assert fit_size(*size, short_side=448, longest_side=2048) == expected


def test_the_rule_is_mmcvs():
    import mmcv

    rng = np.random.default_rng(0)
    for _ in range(300):
        height, width, short = (int(n) for n in rng.integers(1, 4000, 3))
        longest = short + int(rng.integers(0, 2000))
        theirs = mmcv.rescale_size((width, height), (longest, short))[::-1]
        ours = fit_size(height, width, short_side=short, longest_side=longest)
        assert ours == tuple(max(1, side) for side in theirs)


def test_sides_below_one_pixel_are_refused():
    with pytest.raises(UsageError, match="short_side 0"):
        fit_size(4, 4, short_side=0, longest_side=9)
    with pytest.raises(ShapeError, match="0x4"):
        fit_size(0, 4, short_side=4, longest_side=9)


def test_resizing_is_plain_bilinear():
    resized = resize_picture(PICTURE, (15, 60))
    assert resized.shape == (15, 60, 3)
    assert np.array_equal(resized, cv2.resize(PICTURE, (60, 15), interpolation=cv2.INTER_LINEAR))


def test_a_picture_of_that_size_is_not_touched():
    assert resize_picture(PICTURE, (30, 41)) is PICTURE


def test_pixels_are_floats_in_0_to_1_with_channels_first():
    pixels = to_pixels(PICTURE)
    assert pixels.shape == (1, 3, 30, 41)
    assert pixels.dtype == torch.float32
    assert pixels.is_contiguous()
    assert np.array_equal(pixels[0].permute(1, 2, 0).numpy(), PICTURE.astype(np.float32) / np.float32(255))


@pytest.mark.filterwarnings("error")
def test_read_only_and_flipped_views_are_taken_without_a_warning_and_left_alone():
    locked = PICTURE.copy()
    locked.flags.writeable = False
    assert torch.equal(to_pixels(locked), to_pixels(PICTURE))
    assert torch.equal(to_pixels(PICTURE[:, ::-1]), to_pixels(PICTURE).flip(-1))
    assert np.array_equal(locked, PICTURE)


def test_pixels_go_to_the_device_asked_for():
    assert to_pixels(PICTURE, "meta").device.type == "meta"


@pytest.mark.parametrize("bad", [PICTURE[..., 0], PICTURE[..., :2], PICTURE.astype(np.float32), PICTURE[:0]])
def test_what_is_no_rgb_picture_is_a_shape_error(bad):
    with pytest.raises(ShapeError, match="uint8 RGB"):
        to_pixels(bad)
    with pytest.raises(ShapeError, match="uint8 RGB"):
        resize_picture(bad, (4, 4))
