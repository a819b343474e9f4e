"""Mixed batches and soft targets."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from densevl.core.errors import ShapeError, UsageError
from video.boxes import Box
from video.mixing import ClipMixer, cutmix, cutmix_box, mixup, smooth_labels

CLIPS = torch.arange(3.0)[:, None, None, None, None].expand(3, 2, 3, 4, 6)  # clip b holds b everywhere
TARGETS = torch.eye(3)
PARTNER = torch.tensor([2, 0, 1])


def test_smoothed_labels_spread_a_part_over_all_classes() -> None:
    found = smooth_labels(torch.tensor([2, 0]), 4, smoothing=0.2)
    torch.testing.assert_close(found, torch.tensor([[0.05, 0.05, 0.85, 0.05], [0.85, 0.05, 0.05, 0.05]]))
    assert torch.equal(smooth_labels(torch.tensor([1]), 3, smoothing=0), torch.tensor([[0.0, 1.0, 0.0]]))


@pytest.mark.parametrize("labels", [[3], [-1], [[1]]])
def test_labels_beyond_the_classes_are_refused(labels: list[object]) -> None:
    with pytest.raises(ShapeError, match=r"labels \[B\] in \[0, 3\)"):
        smooth_labels(torch.tensor(labels), 3)


def test_smoothing_everything_is_refused() -> None:
    with pytest.raises(UsageError, match=r"in \[0, 1\), got 1"):
        smooth_labels(torch.tensor([0]), 3, smoothing=1)


def test_mixup_blends_clips_and_targets_by_the_same_weight() -> None:
    clips, targets = mixup(CLIPS, TARGETS, lam=0.75, partner=PARTNER)
    torch.testing.assert_close(clips[:, 0, 0, 0, 0], torch.tensor([0.5, 0.75, 1.75]))
    torch.testing.assert_close(targets, torch.tensor([[0.75, 0, 0.25], [0.25, 0.75, 0], [0, 0.25, 0.75]]))
    assert torch.equal(clips, clips[:, :1, :1, :1, :1].expand_as(clips))


def test_cutmix_takes_one_box_in_all_frames_and_weighs_by_its_area() -> None:
    before = CLIPS.clone()
    clips, targets = cutmix(CLIPS, TARGETS, box=Box(1, 2, 2, 3), partner=PARTNER)
    expected = CLIPS.clone()
    expected[..., 1:3, 2:5] = PARTNER.float()[:, None, None, None, None]
    assert torch.equal(clips, expected)
    torch.testing.assert_close(targets[0], torch.tensor([0.75, 0, 0.25]))
    assert torch.equal(CLIPS, before)


def test_a_box_over_the_whole_frame_is_the_partner() -> None:
    clips, targets = cutmix(CLIPS, TARGETS, box=Box(0, 0, 4, 6), partner=PARTNER)
    assert torch.equal(clips, CLIPS[PARTNER])
    assert torch.equal(targets, TARGETS[PARTNER])


def test_the_box_leaves_its_part_of_the_frame_and_is_cut_at_the_border() -> None:
    assert cutmix_box(40, 80, lam=0.75, centre=(20, 40)) == Box(10, 20, 20, 40)
    assert cutmix_box(40, 80, lam=0.75, centre=(0, 79)) == Box(0, 59, 10, 21)
    assert cutmix_box(40, 80, lam=1.0, centre=(20, 40)) == Box(20, 40, 0, 0)
    assert cutmix_box(40, 80, lam=0.0, centre=(20, 40)) == Box(0, 0, 40, 80)


def test_a_mixer_depends_on_the_seed_alone_and_its_targets_sum_to_one() -> None:
    mixer = ClipMixer()
    clips = torch.randn(4, 2, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    targets = smooth_labels(torch.tensor([0, 4, 2, 2]), 5)
    for seed in range(10):
        mixed, soft = mixer(clips, targets, np.random.RandomState(seed))
        again, _ = mixer(clips, targets, np.random.RandomState(seed))
        assert torch.equal(mixed, again)
        torch.testing.assert_close(soft.sum(1), torch.ones(4))
        assert mixed.shape == clips.shape and soft.shape == (4, 5)


def test_a_mixer_takes_each_way_as_often_as_asked() -> None:
    rng = np.random.RandomState(0)
    assert all(ClipMixer(cutmix_probability=1).takes_cutmix(rng) for _ in range(20))
    assert not any(ClipMixer(cutmix_probability=0).takes_cutmix(rng) for _ in range(20))
    assert 60 < sum(ClipMixer().takes_cutmix(rng) for _ in range(200)) < 140


@pytest.mark.parametrize("cut", [0, 1])
def test_the_targets_of_a_mixer_say_what_is_in_its_clips(cut: int) -> None:
    mixer = ClipMixer(cutmix_probability=cut)
    rng = np.random.RandomState(7)
    for _ in range(10):
        clips, targets = mixer(CLIPS, torch.eye(3), rng)
        torch.testing.assert_close(clips.mean(dim=(1, 2, 3, 4)), targets @ torch.arange(3.0))
