from __future__ import annotations

import re
import shutil
import time
from collections import defaultdict
from pathlib import Path

import pytest

from densevl.core.errors import DataError, SourceError
from densevl.data import decoder_process
from densevl.data.check import CheckRequest, DataReport
from tests.clips import make_clip, make_sound
from tests.damaged_clips import remux
from video.check import check_kinetics
from video.list_forms import ClipListError

HEADER = "label,youtube_id,time_start,time_end,split\n"
IDS = [f"{letter * 10}-" for letter in "abcdefgh"]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_clip(tmp_path_factory.mktemp("clip") / "whole.mp4", frames=30, size=(32, 64))  # one second


def place(clip: Path, folder: Path, *names: str) -> list[Path]:
    """Copies that differ in their last byte, which lies behind the last box of an mp4."""
    for number, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(clip.read_bytes() + bytes(8 + number))
    return [folder / name for name in names]


def problems(report: DataReport) -> dict[str, list[str]]:
    found = defaultdict(list)
    for problem in report.problems:
        found[problem.kind].append(Path(problem.path).name)
    return dict(found)


def kinetics_csv(path: Path, ids: list[str], split: str, seconds: int = 1) -> Path:
    path.write_text(HEADER + "".join(f"archery,{name},5,{5 + seconds},{split}\n" for name in ids))
    return path


def test_a_whole_data_set_has_no_problems(tmp_path: Path, clip: Path) -> None:
    place(clip, tmp_path, *(f"val/{name}_000005_000006.mp4" for name in IDS[:2]), f"archery/{IDS[2]}.mp4")
    kinetics_csv(tmp_path / "validate.csv", IDS[:3], "val")
    for decode in ("none", "first", "all"):
        report = check_kinetics(tmp_path, CheckRequest(decode=decode, workers=2))
        assert report.problems == ()
        assert report.coverage == 1
        assert [vars(split) for split in report.splits] == [{"name": "val", "expected": 3, "found": 3, "usable": 3}]


def test_every_kind_of_problem_is_found_at_its_file(tmp_path: Path, clip: Path) -> None:
    names = [f"{name}_000005_000006.mp4" for name in IDS]
    place(clip, tmp_path, *(f"train/{name}" for name in names[:4]), f"other/{names[0]}", "train/stray.mp4")
    (tmp_path / "train" / names[1]).write_bytes(b"")
    shutil.copy(make_clip(tmp_path / "short.m4v", frames=20, size=(32, 64)), tmp_path / "train" / names[2])
    (tmp_path / "short.m4v").unlink()
    shutil.copy(tmp_path / "train" / names[0], tmp_path / "train" / names[5])
    listed = [
        kinetics_csv(tmp_path / "a.csv", [IDS[0], IDS[1], IDS[2], IDS[4]], "train"),
        kinetics_csv(tmp_path / "b.csv", [IDS[3], IDS[5], IDS[0]], "val"),
    ]
    report = check_kinetics(tmp_path, CheckRequest(lists=tuple(listed)))
    assert problems(report) == {
        "missing": [names[4]],
        "unreadable": [names[1]],
        "short": [names[2]],
        "duplicate": [names[0], names[0], names[5]],  # listed twice, in two places, and the bytes of another
        "unlabelled": ["stray.mp4"],
    }
    counts = {split.name: (split.expected, split.found, split.usable) for split in report.splits}
    assert counts == {"train": (4, 3, 2), "val": (3, 3, 3)}
    assert report.coverage == 5 / 7
    assert report.failed == 1
    told = {problem.kind: problem.detail for problem in report.problems if problem.kind != "duplicate"}
    assert f"video {IDS[4]}, 5 to 6 s, label 'archery'" in told["missing"]
    assert "0.7 of 1 seconds (20 frames)" in told["short"]
    places = [problem.detail for problem in report.problems if problem.kind == "duplicate"]
    assert "line 4 of val is line 2 of train again" in places[0]
    assert f"the same clip as {tmp_path / 'other' / names[0]}" in places[1]
    assert f"the same bytes as {tmp_path / 'train' / names[0]}" in places[2]


def test_damage_behind_the_first_frame_is_found_by_decoding_all(tmp_path: Path, clip: Path) -> None:
    (path,) = place(make_clip(tmp_path / "long.m4v", frames=90, size=(64, 128)), tmp_path, "clips/a.mp4")
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat") + 4
    size = int.from_bytes(data[start - 8 : start - 4], "big") - 8
    data[start + size * 6 // 10 : start + size * 7 // 10] = bytes(size // 10 + 1)[: size * 7 // 10 - size * 6 // 10]
    path.write_bytes(data)
    (tmp_path / "clips" / "val.txt").write_text("a.mp4 0\n")
    found = {
        decode: check_kinetics(tmp_path / "clips", CheckRequest(decode=decode)).coverage for decode in ("first", "all")
    }
    assert found == {"first": 1, "all": 0}


@pytest.mark.parametrize("name", ["a.mp4", "a.avi", "a.mkv"])
def test_a_clip_that_is_cut_off_is_a_problem_of_its_own_before_all_of_it_is_decoded(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "clips"
    whole = make_clip(tmp_path / name, frames=100, **({"codec": "mpeg4"} if name == "a.avi" else {"crf": 5}))
    folder.mkdir()
    front = remux(whole, folder / name, options={"movflags": "faststart"} if name == "a.mp4" else {})
    (folder / "val.txt").write_text(f"{name} 0\n")
    assert check_kinetics(folder, CheckRequest(decode="all")).problems == ()
    front.write_bytes(front.read_bytes()[: front.stat().st_size * 6 // 10])
    for decode in ("first", "all"):
        report = check_kinetics(folder, CheckRequest(decode=decode))
        assert problems(report) == {"cut": [name]}
        assert re.fullmatch(r"cut off: \d\d of (9\d|100) frames", report.problems[0].detail)
        assert (report.coverage, report.failed) == (0, 1)


def test_a_clip_that_hangs_its_decoder_is_unreadable_and_the_others_are_looked_at(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker = (
        "import ctypes, densevl.data.decoder_process as home; real = home.open_frames; "
        "home.open_frames = lambda path, backend: "
        "ctypes.PyDLL(None).sleep(1000) if path.endswith('hang.mp4') else real(path, backend); home.serve()"
    )
    monkeypatch.setattr(decoder_process, "_WORKER", worker)
    place(clip, tmp_path, "a.mp4", "hang.mp4", "z.mp4")
    (tmp_path / "val.txt").write_text("a.mp4 0\nhang.mp4 0\nz.mp4 0\n")
    report = check_kinetics(tmp_path, CheckRequest(timeout_sec=2))
    assert problems(report) == {"unreadable": ["hang.mp4"]}
    assert report.problems[0].detail.startswith("not decoded within 2 s, its decoder was killed")


def test_an_interrupt_ends_the_decoders_without_waiting_for_them(
    tmp_path: Path, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "_WORKER", "print('ready', flush=True); import time; time.sleep(1000)")
    place(clip, tmp_path, *(f"a/{number}.mp4" for number in range(9)))

    def interrupt(items, total):
        raise KeyboardInterrupt

    started = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        check_kinetics(tmp_path, CheckRequest(workers=2, track=interrupt))
    assert time.monotonic() - started < 30  # of 60 that a decoder has


def test_a_clip_of_fewer_frames_than_any_sample_is_short(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for frames in (1, 7, 8):
        make_clip(tmp_path / "a" / f"{frames}.mp4", frames=frames)
    found = {Path(fix.path).name: fix.detail for fix in check_kinetics(tmp_path, CheckRequest()).problems}
    assert found == {"1.mp4": "1 frame, fewer than 8", "7.mp4": "7 frames, fewer than 8"}


def test_a_label_of_minus_1_is_none(tmp_path: Path, clip: Path) -> None:
    place(clip, tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "val.txt").write_text("a.mp4 0\nb.mp4 -1\n")
    assert problems(check_kinetics(tmp_path, CheckRequest(decode="none"))) == {"unlabelled": ["b.mp4"]}


@pytest.mark.parametrize("broken", ["cut", "page", "sound", "link"])
def test_files_that_are_no_clips_are_unreadable_with_their_cause(tmp_path: Path, clip: Path, broken: str) -> None:
    path = tmp_path / "a.mp4"
    if broken == "cut":
        path.write_bytes(clip.read_bytes()[: clip.stat().st_size // 3])
    elif broken == "page":
        path.write_text("<html>404</html>")
    elif broken == "sound":
        make_sound(path)
    else:
        path.symlink_to(tmp_path / "gone.mp4")
    (tmp_path / "val.txt").write_text("a.mp4 0\n")
    report = check_kinetics(tmp_path, CheckRequest())
    assert problems(report) == {"unreadable": ["a.mp4"]}
    assert report.coverage == 0
    assert report.problems[0].detail
    assert str(tmp_path) not in report.problems[0].detail


def test_paths_are_found_beside_the_list_below_the_folder_and_by_kinetics_names(tmp_path: Path, clip: Path) -> None:
    timed = f"{IDS[0]}_000005_000006.mp4"
    place(clip, tmp_path, f"data/val/{timed}", "data/plain/x.mp4", "data/b.mp4")
    lists = tmp_path / "lists" / "val.txt"
    lists.parent.mkdir()
    lists.write_text(f"elsewhere/{timed} 0\n../data/b.mp4 1\nelsewhere/x.mp4 2\n")
    report = check_kinetics(tmp_path / "data", CheckRequest(lists=(lists,)))
    assert problems(report) == {"missing": ["x.mp4"], "unlabelled": ["x.mp4"]}


def test_a_row_without_a_label_is_unlabelled_unless_the_whole_list_has_none(tmp_path: Path, clip: Path) -> None:
    place(clip, tmp_path, "a.mp4", "b.mp4")
    (tmp_path / "val.txt").write_text("a.mp4 0\nb.mp4\n")
    report = check_kinetics(tmp_path, CheckRequest())
    assert [(problem.kind, problem.detail) for problem in report.problems] == [
        ("unlabelled", f"no label on {tmp_path / 'val.txt'} line 2")
    ]
    (tmp_path / "val.txt").write_text("a.mp4\nb.mp4\n")
    report = check_kinetics(tmp_path, CheckRequest())
    assert report.problems == ()
    assert "has no labels" in report.notes[0]


def test_without_a_list_class_folders_are_counted_and_nothing_is_expected(tmp_path: Path, clip: Path) -> None:
    place(clip, tmp_path, f"archery/{IDS[0]}.mp4", f"bowling/{IDS[0]}.mp4", "archery/1.mp4", "bowling/1.mp4", "2.mp4")
    report = check_kinetics(tmp_path, CheckRequest())
    assert report.coverage is None
    assert report.files == 5
    assert problems(report) == {"unlabelled": ["2.mp4"], "duplicate": [f"{IDS[0]}.mp4"]}
    assert "no list" in report.notes[0]


def test_progress_sees_every_file(tmp_path: Path, clip: Path) -> None:
    place(clip, tmp_path, "a/1.mp4", "a/2.mp4", "a/3.mp4")
    seen = []

    def track(items, total):
        for item in items:
            seen.append(total)
            yield item

    check_kinetics(tmp_path, CheckRequest(decode="none", track=track))
    assert seen == [3, 3, 3]


def test_nothing_at_all_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ClipListError, match="no clips and no lists"):
        check_kinetics(tmp_path, CheckRequest())
    with pytest.raises(SourceError, match="nowhere"):
        check_kinetics(tmp_path / "nowhere", CheckRequest())
    with pytest.raises(DataError, match=r"gone\.csv"):
        check_kinetics(tmp_path, CheckRequest(lists=(tmp_path / "gone.csv",)))


REAL = Path(__file__).resolve().parents[3] / "shared" / "data" / "video"


@pytest.mark.skipif(not REAL.is_dir(), reason="the two Kinetics clips are not in ../shared/data/video")
def test_two_real_clips_of_kinetics_are_whole(tmp_path: Path) -> None:
    lists = tmp_path / "val.csv"
    lists.write_text("path,label\narm_wrestling.mp4,arm wrestling\ntest.mp4,cleaning pool\n")
    report = check_kinetics(REAL, CheckRequest(lists=(lists,), decode="all", workers=2))
    assert report.problems == ()
    assert report.coverage == 1
