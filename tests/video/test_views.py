"""What a model sees: the crops and frames of the published evaluation, one frame in memory at a time."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, UnknownNameError
from densevl.data import open_frames
from tests.clips import make_clip
from tests.damaged_clips import damaged_clips
from video.transforms import EvaluationViews, normalize, to_channels_first
from video.views import ClipViews


@pytest.mark.parametrize("crops", ["centre", "three", "spread4"])
def test_views_of_a_file_are_those_of_the_published_evaluation(tmp_path: Path, crops: str) -> None:
    views = ClipViews(size=64, num_frames=3, views=2, crops=crops)
    with open_frames(make_clip(tmp_path / "a.mp4"), "pyav") as reader:
        seen = views.read(reader)
        numbers = views.frame_numbers(len(reader))
        frames = reader.read(numbers.ravel().tolist())
    expected = EvaluationViews(64, crops)(frames.reshape(2, 3, *frames.shape[1:]))
    assert seen.dtype == np.uint8
    assert normalize(to_channels_first(seen), "imagenet").equal(expected)


def test_frames_of_a_view_follow_the_rule() -> None:
    assert ClipViews(num_frames=4).frame_numbers(8).tolist() == [[1, 3, 5, 7]]
    dense = ClipViews(num_frames=2, rule="dense", stride=3, views=2)
    assert dense.frame_numbers(20).shape == (2, 2) and (np.diff(dense.frame_numbers(20)) == 3).all()


def test_a_cut_clip_is_seen_up_to_the_cut_and_a_damaged_one_not(tmp_path: Path) -> None:
    cases = damaged_clips(tmp_path)
    views = ClipViews(size=64, num_frames=4)
    with open_frames(cases["cut at 60 %, index first"], "pyav") as reader:
        assert views.read(reader).shape == (1, 4, 64, 64, 3)
    with open_frames(cases["200 bytes flipped"], "pyav") as reader, pytest.raises(ClipError, match="damaged"):
        views.read(reader)


def test_an_unknown_crop_is_named() -> None:
    with pytest.raises(UnknownNameError, match="crops"):
        ClipViews(crops="four").cut(np.zeros((48, 64, 3), dtype=np.uint8))
