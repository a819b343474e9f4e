"""Random changes of colour and of pixels."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch

from video.colours import JitterStrengths, erase_box, jitter_colours, to_gray


def noise(*shape: int) -> torch.Tensor:
    return torch.randint(256, shape, dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("kind", [random.Random, np.random.RandomState])
def test_every_frame_gets_its_own_colours_by_the_seed_alone(kind: type) -> None:
    frames = noise(1, 3, 8, 8).expand(4, -1, -1, -1)
    found = jitter_colours(frames, rng=kind(0))
    assert found.dtype == torch.uint8
    assert torch.equal(found, jitter_colours(frames, rng=kind(0)))
    assert all(not torch.equal(found[i], found[j]) for i in range(4) for j in range(i))


def test_frames_drawn_together_are_those_drawn_one_after_the_other() -> None:
    frames = noise(3, 3, 8, 8)
    rng = random.Random(2)
    singles = torch.cat([jitter_colours(frame[None], rng=rng) for frame in frames])
    assert torch.equal(singles, jitter_colours(frames, rng=random.Random(2)))


def test_without_strength_the_colours_stay() -> None:
    frames = noise(2, 3, 8, 8).float() / 255
    found = jitter_colours(frames, rng=random.Random(0), strengths=JitterStrengths(0, 0, 0, 0))
    torch.testing.assert_close(found, frames, atol=1e-6, rtol=0)


def test_brightness_alone_multiplies_within_its_strength() -> None:
    frames = torch.full((40, 3, 2, 2), 100, dtype=torch.uint8)
    found = jitter_colours(frames, rng=random.Random(0), strengths=JitterStrengths(0.4, 0, 0, 0)).flatten(1)
    assert (found == found[:, :1]).all()
    assert 60 <= found.min() < 75 and 125 < found.max() <= 140


def test_gray_has_three_equal_channels_of_the_luma() -> None:
    frames = torch.tensor([200, 100, 50], dtype=torch.uint8)[:, None, None].expand(2, 3, 4, 4)
    assert to_gray(frames).unique().tolist() == [int(0.2989 * 200 + 0.587 * 100 + 0.114 * 50)]
    assert to_gray(frames).shape == frames.shape


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
