"""SOURCE of the verb `video`: short clips decoded, long ones streamed in one pass."""

from __future__ import annotations

import logging
import weakref
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, SourceError, UsageError
from densevl.core.files import sha256_file
from densevl.data.frames_pyav import PyAVFrames
from tests.clips import make_clip
from tests.damaged_clips import damaged_clips
from tests.video.fakes import COLOURS, SIDE, colour_clip
from video.clip_source import ClipSource, LongVideo, ShortClip, WindowRule, find_inputs
from video.views import ClipViews

VIEWS = ClipViews(size=SIDE, num_frames=4)
LONG = WindowRule(long_sec=1, window_sec=2, stride_sec=1)


def source(*paths: Path, rule: WindowRule = LONG) -> ClipSource:
    return ClipSource(paths, [path.stem for path in paths], views=VIEWS, rule=rule)


def test_a_clip_is_long_when_it_lasts_longer_than_the_limit(tmp_path: Path) -> None:
    path = colour_clip(tmp_path / "a.mp4", [("red", 30)])
    clip, digest = source(path, rule=WindowRule(long_sec=3)).read(0)
    assert isinstance(clip, ShortClip) and clip.duration_sec == pytest.approx(3)
    assert clip.views.shape == (1, 4, SIDE, SIDE, 3)
    assert digest == sha256_file(path) == source(path).digest(0)
    clip, _ = source(path, rule=WindowRule(long_sec=2.9)).read(0)
    assert isinstance(clip, LongVideo) and clip.duration_sec == pytest.approx(3)


def test_a_long_video_is_decoded_in_one_pass_and_every_wanted_frame_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = colour_clip(tmp_path / "a.mp4", [("red", 30), ("blue", 30)])
    clip, _ = source(path).read(0)
    starts: list[int] = []
    start = PyAVFrames._start
    monkeypatch.setattr(PyAVFrames, "_start", lambda self: (starts.append(1), start(self))[1])
    seen = list(clip.crops())
    assert starts == [1]
    assert [number for number, _ in seen] == clip.plan.distinct
    for number, crops in seen:
        assert crops.shape == (1, SIDE, SIDE, 3)
        expected = COLOURS["red" if number < 30 else "blue"]
        assert np.abs(crops.mean(axis=(0, 1, 2)) - expected).max() < 12


def test_frames_that_were_passed_on_are_let_go(tmp_path: Path) -> None:
    clip, _ = source(colour_clip(tmp_path / "a.mp4", [("red", 200)])).read(0)
    alive: set[int] = set()
    most = 0
    for number, crops in clip.crops():
        alive.add(number)
        weakref.finalize(crops, alive.discard, number)
        del crops
        most = max(most, len(alive))
    assert len(clip.plan.distinct) > 35 and most <= 2


def test_leaving_off_early_closes_the_file(tmp_path: Path) -> None:
    clip, _ = source(colour_clip(tmp_path / "a.mp4", [("red", 100)])).read(0)
    passed = clip.crops()
    next(passed)
    passed.close()
    assert [number for number, _ in clip.crops()] == clip.plan.distinct  # and it can be watched anew


def test_a_cut_video_ends_at_the_cut_and_a_damaged_one_raises(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    cases = damaged_clips(tmp_path)
    rule = WindowRule(long_sec=0, window_sec=0.5, stride_sec=0.25)
    clip, _ = source(cases["cut at 60 %, index first"], rule=rule).read(0)
    with caplog.at_level(logging.WARNING):
        seen = [number for number, _ in clip.crops()]
    assert 0 < len(seen) <= len(clip.plan.distinct)
    assert clip.duration_sec < 2
    clip, _ = source(cases["200 bytes flipped"], rule=rule).read(0)
    with pytest.raises(ClipError, match="damaged"):
        list(clip.crops())


def test_what_is_no_clip_raises_when_it_is_read(tmp_path: Path) -> None:
    page = tmp_path / "page.mp4"
    page.write_text("<html>")
    clips = source(page, tmp_path / "gone.mp4")
    for index, name in enumerate(("page.mp4", "gone.mp4")):
        with pytest.raises(ClipError, match=name):
            clips.read(index)
    with pytest.raises(ClipError, match=r"gone\.mp4"):
        clips.digest(1)


def test_a_folder_gives_its_clips_and_leaves_pictures_out(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    make_clip(tmp_path / "sub/b.mp4", frames=2)
    make_clip(tmp_path / "a.mp4", frames=2)
    (tmp_path / "c.png").write_bytes(b"x")
    paths, names = find_inputs(str(tmp_path))
    assert paths == [tmp_path / "a.mp4", tmp_path / "sub/b.mp4"] and names == ["a", "sub/b"]


def test_a_folder_without_clips_says_what_it_holds(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"no clips in the folder .*found 1 \.png; looked for \.mp4"):
        find_inputs(str(tmp_path))
    with pytest.raises(SourceError, match="give a clip, a folder"):
        find_inputs(str(tmp_path / "gone"))


def test_two_clips_of_one_name_are_refused(tmp_path: Path) -> None:
    for name in ("a.mp4", "a.webm"):
        (tmp_path / name).write_bytes(b"x")
    with pytest.raises(SourceError, match="would both become the output 'a'"):
        find_inputs(str(tmp_path))


def test_faulty_numbers_are_refused_before_a_run() -> None:
    with pytest.raises(UsageError, match="long_sec"):
        WindowRule(long_sec=-1)
    with pytest.raises(UsageError, match="window"):
        WindowRule(window_sec=2, stride_sec=3)
