from __future__ import annotations

import subprocess
import sys
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import OutputError, UnknownNameError, UsageError
from densevl.data.check import CheckRequest
from densevl.data.frames import open_frames
from video.check import check_kinetics
from video.lists import read_clip_list
from video.motion_set import CLASS_NAMES, main, render_clip, write_motion_set

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def sets(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sets")
    assert main([str(folder), "--clips", "16", "8", "--seed", "3"]) == 0
    return folder


@pytest.mark.parametrize("kind", CLASS_NAMES)
def test_frames_before_encoding_depend_on_seed_split_and_index_alone(kind: str) -> None:
    one, label = render_clip(kind, "train", 3, seed=1)
    again, _ = render_clip(kind, "train", 3, seed=1)
    assert np.array_equal(one, again)
    for other in (render_clip(kind, "test", 3, seed=1), render_clip(kind, "train", 3, seed=2)):
        assert not np.array_equal(one, other[0])
        assert other[1] == label
    assert not np.array_equal(one, render_clip(kind, "train", 3 + 16, seed=1)[0])


@pytest.mark.parametrize("index", range(0, 8, 2))
def test_a_pair_of_order_is_each_others_reverse_with_opposite_classes(index: int) -> None:
    forwards, label = render_clip("order", "train", index)
    backwards, opposite = render_clip("order", "train", index + 1)
    assert np.array_equal(forwards, backwards[::-1])
    assert not np.array_equal(forwards, backwards)
    names = CLASS_NAMES["order"]
    assert (label, opposite) == (index % 8, index % 8 + 1)
    assert names[label].split()[0] == names[opposite].split()[0]


@pytest.mark.parametrize("kind", CLASS_NAMES)
def test_classes_take_turns(kind: str) -> None:
    labels = Counter(render_clip(kind, "test", index)[1] for index in range(16))
    assert labels == dict.fromkeys(range(8), 2)


@pytest.mark.parametrize("kind", CLASS_NAMES)
@pytest.mark.parametrize(("split", "count"), [("train", 16), ("test", 8)])
def test_what_is_written_is_read_by_our_lists(sets: Path, kind: str, split: str, count: int) -> None:
    clips = read_clip_list(sets / kind / f"{split}.txt", sets / kind / "classes.csv")
    assert clips.class_names == CLASS_NAMES[kind]
    assert clips.labels == tuple(render_clip(kind, split, index, seed=3)[1] for index in range(count))
    for index in (0, count - 1):
        with open_frames(clips.paths[index]) as reader:
            assert len(reader) == 24
            decoded = reader.read(range(24)).astype(float)
        rendered = render_clip(kind, split, index, seed=3)[0]
        assert np.abs(decoded - rendered).mean() < 8  # chroma is halved by the codec


def test_a_set_written_twice_has_the_same_bytes(sets: Path, tmp_path: Path) -> None:
    assert main([str(tmp_path / "again"), "--clips", "16", "8", "--seed", "3"]) == 0
    files = sorted(path.relative_to(sets) for path in sets.rglob("*.*"))
    assert len(files) > 50
    for path in files:
        assert (tmp_path / "again" / path).read_bytes() == (sets / path).read_bytes(), path


def test_the_written_sets_pass_the_check(sets: Path) -> None:
    for kind in CLASS_NAMES:
        report = check_kinetics(sets / kind, CheckRequest(decode="all", workers=2))
        assert report.problems == ()
        assert [(split.name, split.usable) for split in report.splits] == [("train", 16), ("test", 8)]


def test_wrong_requests_are_refused_before_anything_is_written(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="pairs"):
        write_motion_set(tmp_path / "a", "order", clips=(4, 3))
    with pytest.raises(UsageError, match="1 or more"):
        write_motion_set(tmp_path / "a", "appearance", clips=(4, 0))
    with pytest.raises(UnknownNameError, match="did you mean order"):
        write_motion_set(tmp_path / "a", "orders")
    with pytest.raises(UnknownNameError):
        render_clip("orders", "train", 0)
    assert not (tmp_path / "a").exists()


def test_a_folder_that_holds_something_is_left_alone(sets: Path, tmp_path: Path, capsys) -> None:
    with pytest.raises(OutputError, match="choose a new folder"):
        write_motion_set(sets / "order", "order")
    with pytest.raises(SystemExit) as ended:
        main([str(sets), "--kind", "order"])
    assert ended.value.code == OutputError.exit_code
    assert "densevl: " in capsys.readouterr().err
    (tmp_path / "file").touch()
    with pytest.raises(OutputError):
        write_motion_set(tmp_path / "file", "order")


@pytest.mark.slow
def test_560_clips_take_less_than_a_minute_of_the_tool(tmp_path: Path) -> None:
    tool = [sys.executable, "-m", "tools.make_motion_set", str(tmp_path), "--kind", "order"]
    done = subprocess.run(tool, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    assert len(list(tmp_path.rglob("*.mp4"))) == 560
