"""Resizing, cropping, layout, normalisation, and the two chains of steps."""

from __future__ import annotations

import random

import cv2
import numpy as np
import pytest
import torch

from densevl.core.errors import ShapeError, UnknownNameError
from video.boxes import Box, crop_boxes
from video.transforms import (
    EvaluationViews,
    TrainingView,
    crop_views,
    mean_and_deviation,
    normalize,
    resize_frames,
    resize_short_side,
    room_to_crop,
    to_channels_first,
)


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.RandomState(seed).randint(256, size=(*shape, 3)).astype(np.uint8)


def test_frames_are_resized_one_by_one_as_opencv_does() -> None:
    frames = noise(2, 3, 13, 17)
    found = resize_frames(frames, (8, 21))
    assert found.shape == (2, 3, 8, 21, 3)
    expected = cv2.resize(frames[1, 2], (21, 8), interpolation=cv2.INTER_LINEAR)
    np.testing.assert_array_equal(found[1, 2], expected)
    assert resize_frames(frames, (13, 17)) is frames


@pytest.mark.parametrize(("height", "width", "expected"), [(20, 31, (10, 16)), (31, 20, (16, 10)), (10, 10, (10, 10))])
def test_the_shorter_side_gets_the_size_and_the_shape_stays(height: int, width: int, expected: tuple[int, int]) -> None:
    assert resize_short_side(noise(2, height, width), 10).shape == (2, *expected, 3)


def test_room_to_crop_is_that_of_the_published_sizes() -> None:
    assert [room_to_crop(size) for size in (224, 336)] == [256, 384]


def test_views_are_ordered_by_crop_then_by_clip() -> None:
    frames = noise(2, 3, 8, 14)
    views = crop_views(frames, crop_boxes(8, 14, size=8, crops="three"))
    assert views.shape == (6, 3, 8, 8, 3)
    for crop, left in enumerate((0, 6, 3)):
        for clip in range(2):
            np.testing.assert_array_equal(views[crop * 2 + clip], frames[clip, :, :, left : left + 8])


@pytest.mark.parametrize("boxes", [[Box(0, 7, 8, 8)], [Box(-1, 0, 8, 8)], [Box(0, 0, 8, 8), Box(0, 0, 4, 8)]])
def test_boxes_beyond_the_frame_or_of_two_sizes_are_refused(boxes: list[Box]) -> None:
    with pytest.raises(ShapeError, match="boxes of one size within 8x14"):
        crop_views(noise(1, 2, 8, 14), boxes)


@pytest.mark.parametrize("frames", [noise(8, 9), noise(2, 8, 9)[..., :2], noise(2, 8, 9).astype(np.float32)])
def test_what_is_no_clip_of_uint8_frames_is_refused(frames: np.ndarray) -> None:
    with pytest.raises(ShapeError, match="expected frames"):
        resize_short_side(frames, 4)


def test_channels_go_before_rows_and_the_memory_is_our_own() -> None:
    frames = noise(2, 4, 5)
    video = to_channels_first(frames[:, :, ::-1])
    assert video.shape == (2, 3, 4, 5)
    assert video[1, 2, 3, 0] == frames[1, 3, 4, 2]
    video.zero_()
    assert frames.any()


@pytest.mark.parametrize("name", ["imagenet", "clip"])
def test_the_mean_becomes_zero_and_one_deviation_one(name: str) -> None:
    published = {
        "imagenet": ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]),
        "clip": ([0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]),
    }
    mean, deviation = (255 * torch.tensor(values)[:, None, None] for values in published[name])
    torch.testing.assert_close(normalize(mean.expand(2, 3, 4, 4), name), torch.zeros(2, 3, 4, 4), atol=1e-6, rtol=0)
    torch.testing.assert_close(normalize(mean + deviation, name), torch.ones(3, 1, 1))


def test_a_normalisation_of_pixels_from_0_to_1_is_that_of_levels() -> None:
    mean, deviation = mean_and_deviation("imagenet")
    assert mean == pytest.approx([0.485, 0.456, 0.406]) and deviation == pytest.approx([0.229, 0.224, 0.225])
    assert mean_and_deviation(None) == ([0.0, 0.0, 0.0], [1.0, 1.0, 1.0])
    with pytest.raises(UnknownNameError, match="normalisation"):
        mean_and_deviation("nope")


def test_normalising_gives_float32_and_knows_its_names() -> None:
    assert normalize(torch.zeros(3, 2, 2, dtype=torch.uint8), "clip").dtype == torch.float32
    with pytest.raises(UnknownNameError, match="did you mean imagenet"):
        normalize(torch.zeros(3, 2, 2), "image_net")


def test_one_crop_is_cut_with_room_around_it_and_several_are_not() -> None:
    frames = noise(1, 2, 40, 60)
    one = EvaluationViews(28)(frames)
    resized = resize_short_side(frames, 32)
    torch.testing.assert_close(one, normalize(to_channels_first(resized[:, :, 2:30, 10:38]), "imagenet"))
    three = EvaluationViews(28, crops="three", normalization="clip")(frames)
    resized = resize_short_side(frames, 28)
    assert three.shape == (3, 2, 3, 28, 28)
    torch.testing.assert_close(three[:1], normalize(to_channels_first(resized[:, :, :, :28]), "clip"))


def test_a_batch_of_clips_is_evaluated_as_each_clip_alone() -> None:
    frames = noise(3, 2, 30, 40)
    together = EvaluationViews(16, crops="three")(frames).unflatten(0, (3, 3))  # [crops, V, T, 3, R, R]
    for clip in range(3):
        torch.testing.assert_close(together[:, clip], EvaluationViews(16, crops="three")(frames[clip : clip + 1]))


@pytest.mark.parametrize("kind", [random.Random, np.random.RandomState])
def test_a_training_view_depends_on_the_seed_alone(kind: type) -> None:
    view = TrainingView(16, erase=0.5)
    frames = noise(3, 30, 40)
    before = frames.copy()
    first = view(frames, kind(4))
    assert first.shape == (3, 3, 16, 16) and first.dtype == torch.float32
    torch.testing.assert_close(first, view(frames, kind(4)), atol=0, rtol=0)
    assert not torch.equal(first, view(frames, kind(5)))
    np.testing.assert_array_equal(frames, before)


def test_all_frames_of_a_training_view_share_crop_flip_and_erased_box() -> None:
    view = TrainingView(16, jitter=0, gray=0.5, erase=0.5)
    frames = np.repeat(noise(1, 30, 40), 4, axis=0)
    for seed in range(20):
        video = view(frames, random.Random(seed))
        assert torch.equal(video, video[:1].expand_as(video))


def test_a_certain_flip_mirrors_the_view_that_no_flip_gives() -> None:
    kept, mirrored = (
        TrainingView(16, flip=flip, jitter=0, gray=0)(noise(2, 30, 40), random.Random(1)) for flip in (0, 1)
    )
    torch.testing.assert_close(mirrored, kept.flip(-1))
