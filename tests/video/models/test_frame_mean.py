"""The embedded video model: frames by themselves, their mean, and the words of `lite`."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densevl.core.errors import ShapeError
from densevl.core.structures import TextBank
from tests.packaged_lite import lite
from video.classifier import VideoClassifier
from video.models import LiteFrameMean
from video.views import ClipViews


@pytest.fixture(scope="module")
def model() -> LiteFrameMean:
    return LiteFrameMean(lite())


@pytest.fixture(scope="module")
def clips() -> torch.Tensor:
    return torch.rand(2, 3, 3, 64, 96, generator=torch.Generator().manual_seed(0))


def test_frames_are_seen_alike_alone_and_in_any_batch(model: LiteFrameMean, clips: torch.Tensor) -> None:
    features = model.frame_features(clips)
    assert features.shape == (2, 3, 1280) and features.dtype == torch.float32
    assert torch.allclose(model.frame_features(clips[1]), features[1], atol=1e-4)
    assert torch.allclose(model.frame_features(clips[1, 2:]), features[1, 2:], atol=1e-4)


def test_a_clip_is_the_mean_of_its_frames_whatever_their_order(model: LiteFrameMean, clips: torch.Tensor) -> None:
    features = model.video_features(clips)
    assert torch.allclose(features, model.frame_features(clips).mean(dim=1))
    assert torch.allclose(model.video_features(clips.flip(1)), features, atol=1e-5)


def test_logits_are_scaled_cosines_with_unit_vectors_of_the_names(model: LiteFrameMean, clips: torch.Tensor) -> None:
    vectors = model.text_features(["petting a cat", "driving a car", "petting a cat"])
    assert vectors.shape == (3, 1280) and torch.allclose(vectors.norm(dim=1), torch.ones(3), atol=1e-5)
    assert torch.equal(vectors[0], vectors[2])
    bank = TextBank(vectors[:2], torch.arange(2), ("cat", "car"))
    cosines = F.normalize(model.video_features(clips), dim=-1) @ vectors[:2].T
    assert torch.allclose(model(clips, bank), 40 * cosines, atol=1e-4)


def test_it_comes_frozen_and_its_image_tower_and_scale_can_be_trained(clips: torch.Tensor) -> None:
    model = LiteFrameMean(lite())
    assert not any(tensor.requires_grad for tensor in model.parameters())
    model.logit_scale.requires_grad_(True)
    head = model.lite_model.image_net.conv_head.weight
    head.requires_grad_(True)
    try:
        bank = TextBank(model.text_features(["cat", "car"]), torch.arange(2), ("cat", "car"))
        model(clips, bank)[:, 0].sum().backward()
        assert head.grad is not None and head.grad.abs().sum() > 0
        assert model.logit_scale.grad is not None and model.logit_scale.grad != 0
    finally:
        head.requires_grad_(False)
        head.grad = None


@pytest.mark.parametrize("shape", [(3, 8, 8), (2, 4, 8, 8), (2, 3, 1, 8, 8)])
def test_other_shapes_are_refused(model: LiteFrameMean, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="expected float frames"):
        model.frame_features(torch.zeros(shape))
    with pytest.raises(ShapeError, match="expected float frames"):
        model.frame_features(torch.zeros(2, 3, 8, 8, dtype=torch.uint8))


def test_windows_that_share_frames_score_as_windows_of_pixels(model: LiteFrameMean) -> None:
    assert model.averages_frames
    classifier = VideoClassifier(model, ClipViews(size=64, num_frames=3))
    frames = np.random.default_rng(0).integers(0, 256, (5, 2, 64, 64, 3), dtype=np.uint8)  # [n, C, S, S, 3]
    kept = classifier.look(frames)
    assert kept.shape == (5, 2, 1280) and kept.dtype == np.float32
    bank = classifier.encode("cat; car; tree")
    pixels, shared = (np.stack([array[k : k + 3].swapaxes(0, 1) for k in range(3)]) for array in (frames, kept))
    assert np.allclose(classifier.score(shared, bank), classifier.score(pixels, bank), atol=1e-5)  # [B, C, T, ...]
