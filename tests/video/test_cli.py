"""`densevl video` from its flags to its exit code."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import pytest

from densevl.cli.app import main
from densevl.core.errors import UsageError
from tests.clips import make_clip, make_sound
from tests.entry_points import install_entry_points
from tests.video.fakes import colour_clip
from video.cli import parse_kinds

FLAGS = ("--classes", "petting a cat; driving a car; reading a book", "--model", "vifi-clip-lite", "--offline")


@pytest.fixture(autouse=True)
def installed(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_points(tmp_path_factory.mktemp("installed"), monkeypatch)


def test_a_folder_of_clips_becomes_a_table(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips, out = tmp_path / "clips", tmp_path / "out"
    clips.mkdir()
    make_clip(clips / "a.mp4", frames=12)
    make_clip(clips / "b.webm", frames=12, codec="libvpx-vp9")
    assert main(["video", str(clips), "--out", str(out), "--json", *FLAGS]) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["done"] == 2
    assert "sees no order" in captured.err
    with (out / "predictions.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [Path(row["path"]).name for row in rows] == ["a.mp4", "b.webm"]
    assert all(row["label"] in FLAGS[1] for row in rows)
    assert main(["video", str(clips), "--out", str(out), *FLAGS]) == 0
    assert "2 clips done (2 were done already); see" in capsys.readouterr().err


def test_a_long_video_becomes_a_timeline(tmp_path: Path) -> None:
    clip, out = colour_clip(tmp_path / "a.mp4", [("red", 60)]), tmp_path / "out"
    flags = ["--long-sec", "5", "--window-sec", "2", "--frames", "2", "--save", "csv,strip"]
    assert main(["video", str(clip), "--out", str(out), *flags, *FLAGS]) == 0
    assert sorted(path.name for path in (out / "timeline").iterdir()) == ["a.csv", "a.jpg"]
    settings = json.loads((out / "run.json").read_text())["settings"]
    assert settings["windows"]["stride_sec"] == 1 and settings["segments"]["min_sec"] == 2
    assert "num_frames=2" in settings["config"]


def test_what_cannot_be_read_is_listed_and_ends_with_6(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clips = tmp_path / "clips"
    clips.mkdir()
    make_clip(clips / "a.mp4", frames=12)
    make_sound(clips / "sound.mp4")
    (clips / "page.mp4").write_text("<html>")
    assert main(["video", str(clips), "--out", str(tmp_path / "out"), *FLAGS]) == 6
    assert "2 failed" in capsys.readouterr().err
    reasons = (tmp_path / "out/failed.csv").read_text()
    assert "no moving pictures" in reasons and "page.mp4" in reasons


@pytest.mark.parametrize(
    ("flags", "code", "message"),
    [
        (["gone"], 3, "does not exist"),
        (["."], 3, "no clips in the folder"),
        (["x.mp4", "--classes", ""], 3, "class"),
        (["x.mp4", "--classes", "gone.txt"], 3, r"no such file gone.txt"),
        (["x.mp4", "--model", "vifi-clip-light"], 2, "did you mean vifi-clip-lite"),
        (["x.mp4", "--model", "lite"], 2, "unknown video model 'lite'.*vifi-clip-lite"),
        (["x.mp4", "--model", "auto", "--weights", "best.pt"], 2, "weights need a model"),
        (["x.mp4", "--model", "lite", "--weights", "best.pt"], 2, "unknown video model 'lite'"),
        (["x.mp4", "--model", "vifi-clip-b16", "--weights", "gone.pt"], 4, r"gone.pt"),
        (["x.mp4", "--save", "csv,gif"], 2, "not gif"),
        (["x.mp4", "--frames", "0"], 2, "--frames 0"),
        (["x.mp4", "--batch-size", "no"], 2, "--batch-size no"),
        (["x.mp4", "--window-sec", "2", "--stride-sec", "3"], 2, "windows of 2 s every 3 s"),
        (["x.mp4", "--long-sec", "-1"], 2, "--long-sec|long_sec"),
        (["x.mp4", "--enter", "0.2"], 2, "leave <= enter"),
        (["x.mp4", "--crops", "four"], 2, "unknown crops 'four'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_bad_input_is_one_message_with_its_exit_code(
    flags: list[str],
    code: int,
    message: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    make_clip(tmp_path / "x.mp4", frames=4)
    if flags == ["."]:
        (tmp_path / "x.mp4").rename(tmp_path / "x.txt.bin")
    words = dict(zip(FLAGS[:-1:2], FLAGS[1:-1:2], strict=True))
    given = [word for pair in words.items() if pair[0] not in flags for word in pair]
    assert main(["video", *flags, *given, "--offline", "--out", str(tmp_path / "out")]) == code
    error = capsys.readouterr().err
    assert re.search(message, error), error
    assert "Traceback" not in error and "bug" not in error


def test_words_of_save() -> None:
    assert parse_kinds("strip,csv") == ("csv", "strip")
    assert parse_kinds("none") == ()
    with pytest.raises(UsageError, match="not gif"):
        parse_kinds("gif")


def test_segment_refuses_a_video_model(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(tmp_path / "x.mp4", frames=2)
    assert main(["segment", str(clip), "--classes", "a; b", "--model", "vifi-clip-lite", "--out", str(tmp_path)]) == 2
    assert "unknown segmentation model 'vifi-clip-lite'" in capsys.readouterr().err
