"""Sampled clips of a list, broken ones among them."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, UnknownNameError, UsageError
from densevl.data import decoder_process
from densevl.data.frames import open_frames
from tests.clips import make_clip, number_of
from tests.damaged_clips import remux
from video.clips import ClipReader
from video.lists import ClipList
from video.sampling import sample_frames

FRAMES = 20
WAYS = pytest.mark.parametrize("timeout_sec", [30, None])


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> ClipList:
    folder = tmp_path_factory.mktemp("clips")
    whole, broken = folder / "whole.mp4", folder / "broken.mp4"
    make_clip(whole, frames=FRAMES)
    broken.write_bytes(b"no clip")
    return ClipList((whole, broken, folder / "gone.mp4"), (1, 0, 1), ("a", "b"), "test")


@WAYS
@pytest.mark.parametrize(("num_frames", "views"), [(4, 1), (3, 2), (30, 1)])
def test_the_frames_are_those_that_were_asked_for(
    clips: ClipList, num_frames: int, views: int, timeout_sec: float | None
) -> None:
    sample = partial(sample_frames, num_frames=num_frames, views=views)
    with ClipReader(clips, sample, timeout_sec=timeout_sec) as reader:
        clip = reader[0]
    assert clip.frames is not None and clip.frames.shape[:2] == (views, num_frames)
    numbers = [[number_of(frame) for frame in view] for view in clip.frames]
    assert numbers == sample(FRAMES).tolist()
    assert (clip.index, clip.label, clip.counts, clip.error) == (0, 1, True, "")


@WAYS
@pytest.mark.parametrize(("policy", "counts"), [("skip", False), ("count-as-wrong", True)])
def test_broken_clips_are_left_out_or_wrong_and_named(
    clips: ClipList, policy: str, counts: bool, timeout_sec: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    sample = partial(sample_frames, num_frames=2)
    with ClipReader(clips, sample, policy=policy, timeout_sec=timeout_sec) as reader:  # type: ignore[arg-type]
        found = list(reader)
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


@pytest.fixture(scope="module")
def cut(tmp_path_factory: pytest.TempPathFactory) -> ClipList:
    """A clip that promises 60 frames, of which some more than half are there, and a whole one."""
    folder = tmp_path_factory.mktemp("cut")
    make_clip(folder / "last.mp4", frames=60, crf=5)
    front = remux(folder / "last.mp4", folder / "whole.mp4", options={"movflags": "faststart"})
    (folder / "cut.mp4").write_bytes(front.read_bytes()[: front.stat().st_size * 6 // 10])
    return ClipList((folder / "cut.mp4", front), (0, 1), ("a", "b"), "test")


@WAYS
@pytest.mark.parametrize("policy", ["raise", "skip", "count-as-wrong"])
def test_a_clip_that_is_cut_off_is_read_up_to_there_and_warned_of_once(
    cut: ClipList, policy: str, timeout_sec: float | None, caplog: pytest.LogCaptureFixture
) -> None:
    sample = partial(sample_frames, num_frames=4)
    with ClipReader(cut, sample, policy=policy, timeout_sec=timeout_sec) as reader:  # type: ignore[arg-type]
        first, again, whole = reader[0], reader[0], reader[1]
    with open_frames(cut.paths[0], "pyav") as frames:
        count = frames.count_whole()
    assert 20 < count < len(frames) < 60  # the last packets are no frames: what they lean on is lost
    assert (first.counts, first.error) == (True, "")
    assert [number_of(frame) for frame in first.frames[0]] == sample(count)[0].tolist()
    np.testing.assert_array_equal(first.frames, again.frames)
    assert [number_of(frame) for frame in whole.frames[0]] == sample(60)[0].tolist()
    assert caplog.text.count(f"{cut.paths[0]}: cut off: {len(frames)} of 60 frames") == 1


def test_a_cut_clip_without_a_single_frame_is_a_matter_of_the_policy(tmp_path: Path) -> None:
    whole = remux(
        make_clip(tmp_path / "a.mp4", frames=60), tmp_path / "b.mp4", options={"movflags": "faststart"}
    ).read_bytes()
    (tmp_path / "b.mp4").write_bytes(whole[: whole.index(b"mdat") + 200])
    clips = ClipList((tmp_path / "b.mp4",), (0,), ("a",), "test")
    with ClipReader(clips, partial(sample_frames, num_frames=4), policy="skip") as reader:
        assert (reader[0].frames, reader[0].counts) == (None, False)
        reader.policy = "raise"
        with pytest.raises(ClipError, match=r"b\.mp4"):
            reader[0]


def test_a_clip_that_hangs_its_decoder_is_one_broken_clip(clips: ClipList, monkeypatch: pytest.MonkeyPatch) -> None:
    worker = (
        "import ctypes, densevl.data.decoder_process as home; real = home.open_frames; "
        "home.open_frames = lambda path, backend: "
        "ctypes.PyDLL(None).sleep(1000) if path.endswith('gone.mp4') else real(path, backend); home.serve()"
    )
    monkeypatch.setattr(decoder_process, "_WORKER", worker)
    three = ClipList((clips.paths[2], clips.paths[0]), (0, 1), ("a", "b"), "test")
    sample = partial(sample_frames, num_frames=2)
    with ClipReader(three, sample, policy="count-as-wrong", timeout_sec=2) as reader:
        hung, good = reader
    assert (hung.frames, hung.counts) == (None, True)
    assert "gone.mp4: not decoded within 2 s, its decoder was killed" in hung.error
    assert good.frames is not None


def test_a_time_limit_of_0_is_refused(clips: ClipList) -> None:
    with pytest.raises(UsageError, match="above 0"):
        ClipReader(clips, np.arange, timeout_sec=0)
