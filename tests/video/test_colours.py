"""Random changes of colour and of pixels."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from torchvision.transforms import functional

from video.colours import JitterStrengths, erase_box, jitter_colours, to_gray


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(256, size=(*shape, 3)).astype(np.uint8)


@pytest.mark.parametrize("kind", [random.Random, np.random.RandomState])
def test_every_frame_gets_its_own_colours_by_the_seed_alone(kind: type) -> None:
    frames = np.repeat(noise(1, 8, 8), 4, axis=0)
    before = frames.copy()
    found = jitter_colours(frames, rng=kind(0))
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, jitter_colours(frames, rng=kind(0)))
    assert all((found[i] != found[j]).any() for i in range(4) for j in range(i))
    np.testing.assert_array_equal(frames, before)


def test_frames_drawn_together_are_those_drawn_one_after_the_other() -> None:
    frames = noise(3, 8, 8)
    rng = random.Random(2)
    singles = np.concatenate([jitter_colours(frame[None], rng=rng) for frame in frames])
    np.testing.assert_array_equal(singles, jitter_colours(frames, rng=random.Random(2)))


@pytest.mark.parametrize(("change", "levels"), [("brightness", 1), ("contrast", 2), ("saturation", 2), ("hue", 8)])
def test_each_change_is_that_of_torchvision(change: str, levels: int) -> None:
    frames = noise(5, 12, 13)
    strengths = JitterStrengths(**{**dict.fromkeys(JitterStrengths._fields, 0.0), change: 0.4})
    found = jitter_colours(frames, rng=random.Random(3), strengths=strengths)
    rng = random.Random(3)
    for frame, ours in zip(frames, found, strict=True):
        drawn = dict(zip((*JitterStrengths._fields, *"abcd"), [rng.random() for _ in range(8)], strict=True))
        amount = 0.8 * drawn[change] + (-0.4 if change == "hue" else 0.6)
        picture = torch.from_numpy(frame).permute(2, 0, 1)
        theirs = getattr(functional, f"adjust_{change}")(picture, amount).permute(1, 2, 0).numpy()
        assert abs(ours.astype(int) - theirs).max() <= levels
        assert (ours != frame).mean() > 0.3


def test_without_strength_the_colours_stay() -> None:
    frames = noise(2, 8, 8)
    found = jitter_colours(frames, rng=random.Random(0), strengths=JitterStrengths(0, 0, 0, 0))
    np.testing.assert_array_equal(found, frames)


def test_gray_has_three_equal_channels_of_the_luma() -> None:
    frames = np.broadcast_to(np.array([200, 100, 50], np.uint8), (2, 4, 5, 3))
    found = to_gray(frames)
    assert np.unique(found).tolist() == [round(0.299 * 200 + 0.587 * 100 + 0.114 * 50)]
    assert found.shape == frames.shape


def test_one_box_is_erased_in_all_frames_and_the_input_stays() -> None:
    frames = torch.ones(3, 3, 20, 30)
    areas = []
    for seed in range(50):
        erased = erase_box(frames, rng=random.Random(seed))
        assert torch.equal(erased, erased[:1, :1].expand_as(erased))
        rows, columns = (erased[0, 0] == 0).nonzero(as_tuple=True)
        assert len(rows) == (rows.max() - rows.min() + 1) * (columns.max() - columns.min() + 1)
        areas.append(len(rows) / 600)
    assert frames.all()
    assert 0.01 < min(areas) < 0.1 < 0.25 < max(areas) < 0.36


def test_frames_too_small_for_a_box_stay_as_they_are() -> None:
    frames = torch.ones(2, 3, 1, 1)
    assert erase_box(frames, rng=random.Random(0)) is frames
