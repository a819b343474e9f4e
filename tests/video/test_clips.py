"""Sampled clips of a list, broken ones among them."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest

from densevl.core.errors import ClipError, UnknownNameError
from tests.clips import make_clip, number_of
from video.clips import ClipReader
from video.lists import ClipList
from video.sampling import sample_frames

FRAMES = 20


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipList:
    folder = tmp_path_factory.mktemp("clips")
    whole, broken = folder / "whole.mp4", folder / "broken.mp4"
    make_clip(whole, frames=FRAMES)
    broken.write_bytes(b"no clip")
    return ClipList((whole, broken, folder / "gone.mp4"), (1, 0, 1), ("a", "b"), "test")


@pytest.mark.parametrize(("num_frames", "views"), [(4, 1), (3, 2), (30, 1)])
def test_the_frames_are_those_that_were_asked_for(clips: ClipList, num_frames: int, views: int) -> None:
    sample = partial(sample_frames, num_frames=num_frames, views=views)
    clip = ClipReader(clips, sample)[0]
    assert clip.frames is not None and clip.frames.shape[:2] == (views, num_frames)
    numbers = [[number_of(frame) for frame in view] for view in clip.frames]
    assert numbers == sample(FRAMES).tolist()
    assert (clip.index, clip.label, clip.counts, clip.error) == (0, 1, True, "")


@pytest.mark.parametrize(("policy", "counts"), [("skip", False), ("count-as-wrong", True)])
def test_broken_clips_are_left_out_or_wrong_and_named(
    clips: ClipList, policy: str, counts: bool, caplog: pytest.LogCaptureFixture
) -> None:
    found = list(ClipReader(clips, partial(sample_frames, num_frames=2), policy=policy))  # type: ignore[arg-type]
    assert [clip.index for clip in found] == [0, 1, 2]
    assert [clip.frames is None for clip in found] == [False, True, True]
    assert [clip.counts for clip in found] == [True, counts, counts]
    assert "broken.mp4" in found[1].error and "gone.mp4" in found[2].error
    assert caplog.text.count("broken.mp4") == 1


def test_raise_names_the_clip(clips: ClipList) -> None:
    with pytest.raises(ClipError, match=r"broken\.mp4"):
        ClipReader(clips, partial(sample_frames, num_frames=2))[1]


def test_another_policy_is_refused(clips: ClipList) -> None:
    with pytest.raises(UnknownNameError, match="count-as-wrong"):
        ClipReader(clips, np.arange, policy="ignore")  # type: ignore[arg-type]
