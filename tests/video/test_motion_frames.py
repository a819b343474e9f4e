from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import DataError
from video import motion_frames
from video.motion_frames import FRAMES, PATTERNS, PICTURES, SIDE, load_pictures, render_ball, render_motion

SPLITS = ("train", "test")


@pytest.fixture
def one_picture(monkeypatch: pytest.MonkeyPatch):
    """Puts one picture in the place of all."""

    def put(picture: np.ndarray) -> None:
        monkeypatch.setattr(motion_frames, "load_pictures", lambda split: (picture,))

    return put


def ramps(height: int = 256, width: int = 300) -> np.ndarray:
    """Brightness of a pixel says where it lies: x in red, y in green."""
    y, x = np.mgrid[:height, :width]
    return np.stack([x * 255 / width, y * 255 / height, 0 * x], axis=2).round().astype(np.uint8)


def test_no_picture_serves_for_training_and_testing() -> None:
    train, test = ({name for names in PICTURES[split].values() for name in names} for split in SPLITS)
    assert not train & test
    for one in load_pictures("train"):
        assert min(one.shape[:2]) == 256
        assert not any(one.shape == other.shape and np.array_equal(one, other) for other in load_pictures("test"))


@pytest.mark.parametrize("family", range(4))
@pytest.mark.parametrize("split", SPLITS)
def test_a_seed_gives_the_same_frames_and_another_seed_others(family: int, split: str) -> None:
    one, again, other = (render_motion(family, split, np.random.default_rng(seed)) for seed in (3, 3, 4))
    assert one.shape == (FRAMES, SIDE, SIDE, 3)
    assert one.dtype == np.uint8
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def positions(frames: np.ndarray) -> np.ndarray:
    """[T, H, W, 2]: where in the ramps each pixel looks, up to gain and offset."""
    return frames[..., :2].astype(float)


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("family", range(4))
def test_the_content_moves_as_the_family_says(one_picture, family: int, seed: int) -> None:
    one_picture(ramps())
    first, last = positions(render_motion(family, "train", np.random.default_rng(seed)))[[0, -1]]  # [H, W, 2]
    middle = slice(SIDE // 4, -SIDE // 4)
    step = np.array([first[middle, middle].mean(axis=(0, 1)), last[middle, middle].mean(axis=(0, 1))])
    moved = step[1] - step[0]
    right = first[:, -8:].mean(axis=(0, 1)) - first[:, :8].mean(axis=(0, 1))  # the window's x axis in the picture
    down = first[-8:].mean(axis=(0, 1)) - first[:8].mean(axis=(0, 1))
    if family in (0, 1):  # the window moves left or up, along one of its axes
        along, across = (right, down) if family == 0 else (down, right)
        assert moved @ along < 0
        assert abs(moved @ across) < 0.25 * abs(moved @ along)
    else:
        assert np.abs(moved).max() < 0.25 * np.abs(right).max()
        later = last[:, -8:].mean(axis=(0, 1)) - last[:, :8].mean(axis=(0, 1))
        growth = np.linalg.norm(later) / np.linalg.norm(right)
        turned = np.cross([*right, 0], [*later, 0])[2]
        if family == 2:  # zoom in: the window spans less of the picture
            assert growth < 0.85
        else:  # content clockwise: the window turns the other way, and y points down
            assert turned < 0
            assert 0.7 < growth < 1.4


@pytest.mark.parametrize("family", range(4))
def test_the_window_never_looks_beyond_the_picture(one_picture, monkeypatch: pytest.MonkeyPatch, family: int) -> None:
    one_picture(ramps())
    seen = []
    remap = motion_frames.cv2.remap
    monkeypatch.setattr(motion_frames.cv2, "remap", lambda p, x, y, way: seen.append((x, y)) or remap(p, x, y, way))
    for seed in range(40):
        render_motion(family, "train", np.random.default_rng(seed))
    x, y = (np.stack(values) for values in zip(*seen, strict=True))
    assert x.min() >= 0
    assert y.min() >= 0
    assert x.max() <= 299
    assert y.max() <= 255


def test_places_without_texture_are_drawn_again(one_picture) -> None:
    picture = np.full((256, 2000, 3), 128, dtype=np.uint8)
    picture[:, 1000:] = np.random.default_rng(0).integers(0, 256, size=(256, 1000, 3))
    one_picture(picture)
    flat = sum(render_motion(0, "train", np.random.default_rng(seed))[12].std() < 3 for seed in range(30))
    assert flat == 0


@pytest.mark.parametrize("pattern", PATTERNS)
def test_a_ball_is_drawn_the_same_from_the_same_seed_and_differs_by_its_pattern_alone(pattern: str) -> None:
    one, again = (render_ball(pattern, "train", np.random.default_rng(5)) for _ in range(2))
    assert np.array_equal(one, again)
    other = render_ball("plain" if pattern != "plain" else "ringed", "train", np.random.default_rng(5))
    changed = (one != other).any(axis=3).mean(axis=(1, 2))  # [T], share of pixels
    assert changed.min() > 0
    assert changed.max() < 0.45  # within the ball


def test_a_picture_that_is_not_installed_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(motion_frames.PICTURES, "train", {("not_a_package", "data"): ("a.png",)})
    load_pictures.cache_clear()
    with pytest.raises(DataError, match=r"a\.png.*pip install"):
        load_pictures("train")
    load_pictures.cache_clear()
