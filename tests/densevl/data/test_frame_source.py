from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import ClipError
from densevl.core.stages import Source
from densevl.data import frame_source, frames_pyav
from densevl.data.folders import PictureSource
from densevl.data.frame_source import MOST_OPEN, MOST_WAITING, FrameSource, time_stamp
from tests.clips import make_clip, number_of
from tests.damaged_clips import damaged_clips


def numbers(source: FrameSource) -> list[int]:
    return [number_of(source.read(index)[0]) for index in range(len(source))]


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The clips in the order in which a pass over them begins."""
    paths: list[Path] = []
    real = frames_pyav.open_container
    monkeypatch.setattr(frames_pyav, "open_container", lambda path: paths.append(path) or real(path))
    return paths


def test_one_frame_a_second_unless_told_otherwise(clips: dict[str, Path]) -> None:
    source = FrameSource([clips["plain.mp4"]], ["plain"])
    assert source.names() == ("plain/00-00-00.000", "plain/00-00-01.000")
    assert numbers(source) == [0, 30]
    assert source.note() == "2 frames of 1 clip, 1 a second (--every N: 1 in N)"


def test_every_seventh_frame_by_name_origin_and_number(clips: dict[str, Path]) -> None:
    source = FrameSource([clips["plain.mp4"]], ["sub/plain"], every=7)
    assert isinstance(source, Source)
    assert numbers(source) == list(range(0, 60, 7))
    assert source.names()[:3] == ("sub/plain/00-00-00.000", "sub/plain/00-00-00.233", "sub/plain/00-00-00.467")
    assert source.origin(1) == f"{clips['plain.mp4']}#t=0.233"
    assert set(source.paths) == {clips["plain.mp4"]}
    assert source.size(1) == (120, 160)


def test_names_sort_as_time_does() -> None:
    times = [0.0, 59.9994, 59.9996, 61.5, 3599.999, 3600.0, 36000.0]
    stamps = [time_stamp(seconds) for seconds in times]
    assert stamps[1:4] == ["00-00-59.999", "00-01-00.000", "00-01-01.500"]
    assert stamps == sorted(stamps) and len(set(stamps)) == len(times)


def test_frames_within_a_millisecond_keep_names_of_their_own(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "quick.mp4", times=[0, 1, 2, 3])  # ticks of 1/600 s, shown as 0 2 3 5 ms
    assert len(set(FrameSource([clip], ["quick"], every=1).names())) == 4
    dense = frame_source._Clip(clip, step=2, seconds=(0.0, 0.0001, 0.5))
    assert dense.names() == ["00-00-00.000-000000", "00-00-00.000-000002", "00-00-00.500-000004"]


def test_pictures_stand_beside_clips_as_they_do_alone(clips: dict[str, Path], tmp_path: Path) -> None:
    Image.fromarray(np.full((4, 6, 3), 9, np.uint8)).save(tmp_path / "a.png")
    files, names = [tmp_path / "a.png", clips["plain.mp4"]], ["a", "plain"]
    source, alone = FrameSource(files, names), PictureSource((files[0],), ("a",))
    assert source.names() == ("a", "plain/00-00-00.000", "plain/00-00-01.000")
    assert (source.origin(0), source.size(0), source.digest(0)) == (alone.origin(0), alone.size(0), alone.digest(0))
    picture, digest = source.read(0)
    np.testing.assert_array_equal(picture, alone.read(0)[0])
    assert digest == alone.digest(0)


def test_a_digest_is_of_the_file_and_the_frame(clips: dict[str, Path], tmp_path: Path) -> None:
    fine = FrameSource([clips["plain.mp4"]], ["x"], every=5)
    coarse = FrameSource([clips["plain.mp4"]], ["x"], every=10)
    copy = tmp_path / "copy.mp4"
    copy.write_bytes(clips["plain.mp4"].read_bytes())
    assert len({fine.digest(k) for k in range(12)}) == 12
    assert fine.read(4)[1] == fine.digest(4) == coarse.digest(2) == FrameSource([copy], ["y"], every=5).digest(4)
    assert fine.digest(4) != FrameSource([clips["sparse keys.mp4"]], ["x"], every=5).digest(4)


def test_threads_that_overtake_each_other_share_one_pass(clips: dict[str, Path], opened: list[Path]) -> None:
    source = FrameSource([clips["long.mp4"]], ["long"], every=10)
    order = [block + k for block in range(0, len(source), 5) for k in (3, 1, 0, 4, 2)]
    with ThreadPoolExecutor(4) as pool:
        read = list(pool.map(lambda index: number_of(source.read(index)[0]), order))
    assert read == [10 * index for index in order]
    assert opened == [clips["long.mp4"]]
    assert not source._items[0][1].waiting


def test_few_frames_wait_whatever_is_skipped(clips: dict[str, Path]) -> None:
    source = FrameSource([clips["long.mp4"]], ["long"], every=10)
    clip = source._items[0][1]
    for index in (5, 11, 17, 100, 3, 140):
        assert number_of(source.read(index)[0]) == 10 * index
        assert len(clip.waiting) <= MOST_WAITING


def test_few_clips_are_open_at_a_time(clips: dict[str, Path], opened: list[Path]) -> None:
    files = [clips[name] for name in ("plain.mp4", "vp9.webm", "mpeg4.avi", "hevc.mp4")]
    source = FrameSource(files, ["a", "b", "c", "d"], every=20)
    assert numbers(source) == [0, 20, 40] * 4
    assert opened == files
    assert sum(clip.reader is not None for _, clip, _ in source._items[::3]) == MOST_OPEN
    assert number_of(source.read(1)[0]) == 20  # the first clip is opened anew


def test_of_a_cut_clip_the_frames_up_to_there_are_read_and_the_rest_fails(tmp_path: Path) -> None:
    cut = damaged_clips(tmp_path)["cut at 60 %, index first"]
    source = FrameSource([cut], ["cut"], every=4)
    assert len(source) == 15  # of the 60 frames that the index lists
    assert source.names()[-1] == "cut/00-00-01.867"
    good: list[int] = []
    failed = 0
    for index in range(len(source)):
        try:
            good.append(number_of(source.read(index)[0]))
        except ClipError as error:
            failed += 1
            assert str(cut) in str(error)
    assert good == list(range(0, 4 * len(good), 4)) and good
    assert failed == 15 - len(good) > 0


def test_a_clip_that_cannot_be_opened_is_one_item_that_fails(tmp_path: Path) -> None:
    page = damaged_clips(tmp_path)["a web page"]
    source = FrameSource([page], ["page"])
    assert source.names() == ("page/00-00-00.000",)
    assert source.size(0) is None
    with pytest.raises(ClipError, match="not a clip"):
        source.read(0)


def test_a_clip_that_went_away_fails_with_its_name(tmp_path: Path) -> None:
    clip = make_clip(tmp_path / "a.mp4", frames=5)
    source = FrameSource([clip], ["a"])
    clip.unlink()
    for use in (source.digest, source.read):
        with pytest.raises(ClipError, match=r"a\.mp4"):
            use(0)
