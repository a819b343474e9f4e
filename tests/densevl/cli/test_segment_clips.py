"""`densevl segment` on clips: every n-th frame is labelled under its time."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.cli.app import main
from tests.clips import make_clip
from tests.damaged_clips import damaged_clips

SMALL = ("--classes", "cat; sky", "--model", "lite", "--offline", "--short-side", "96")


def labels(out: Path) -> dict[str, bytes]:
    return {path.relative_to(out / "labels").as_posix(): path.read_bytes() for path in (out / "labels").rglob("*.png")}


def test_frames_of_a_clip_are_labelled_as_the_same_pictures_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    clip = make_clip(tmp_path / "match.mp4", rotation=-90)
    assert main(["segment", str(clip), "--out", str(tmp_path / "out"), "--every", "25", "--json", *SMALL]) == 0
    captured = capsys.readouterr()
    assert "3 frames of 1 clip, 1 in 25" in captured.err
    assert json.loads(captured.out)["done"] == 3
    found = labels(tmp_path / "out")
    assert sorted(found) == ["match/00-00-00.000.png", "match/00-00-00.833.png", "match/00-00-01.667.png"]
    label_map = np.array(Image.open(tmp_path / "out/labels/match/00-00-00.833.png"))
    assert label_map.shape == (160, 120)  # upright
    with (tmp_path / "out/summary.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert [row["source"] for row in rows] == [f"{clip}#t={seconds}" for seconds in ("0.000", "0.833", "1.667")]


def test_a_damaged_clip_is_labelled_up_to_the_damage_and_the_rest_is_listed(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "cases").mkdir()
    cases, folder = damaged_clips(tmp_path / "cases"), tmp_path / "clips"
    folder.mkdir()
    cases["cut at 60 %, index first"].rename(folder / "cut.mp4")
    cases["a web page"].rename(folder / "page.mp4")
    make_clip(folder / "whole.webm", codec="libvpx-vp9", frames=10)
    Image.new("RGB", (40, 30)).save(folder / "picture.png")
    command = ["segment", str(folder), "--out", str(tmp_path / "out"), "--every", "10", *SMALL]
    assert main(command) == 6
    assert "Traceback" not in capsys.readouterr().err
    assert sorted(labels(tmp_path / "out")) == [
        "cut/00-00-00.000.png",
        "cut/00-00-00.333.png",
        "cut/00-00-00.667.png",
        "picture.png",
        "whole/00-00-00.000.png",
    ]
    with (tmp_path / "out/failed.csv").open() as stream:
        failed = {row["name"]: row["reason"] for row in csv.DictReader(stream)}
    assert list(failed) == ["cut/00-00-01.000", "cut/00-00-01.333", "cut/00-00-01.667", "page/00-00-00.000"]
    assert all(str(folder) in reason for reason in failed.values())


def test_the_same_command_goes_on_where_frames_are_missing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip, out = make_clip(tmp_path / "a.mp4"), tmp_path / "out"
    command = ["segment", str(clip), "--out", str(out), "--every", "6", "--json", *SMALL]
    assert main(command) == 0
    whole = labels(out)
    for name in ("a/00-00-00.400.png", "a/00-00-01.600.png"):
        (out / "labels" / name).unlink()
    capsys.readouterr()
    assert main(command) == 0
    done = json.loads(capsys.readouterr().out)
    assert (done["done"], done["resumed"]) == (2, 8)
    assert labels(out) == whole


def test_a_dry_run_knows_the_size_of_frames(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    clip = make_clip(tmp_path / "a.mp4", rotation=-90)
    assert main(["segment", str(clip), "--dry-run", "--json", *SMALL]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert (plan["files"], plan["unreadable"], plan["largest_picture"]) == (2, 0, "120x160")


@pytest.mark.parametrize(("every", "words"), [("0", "at least 1"), ("5", "holds pictures only")])
def test_a_step_that_cannot_work_is_refused_before_the_model_is_loaded(
    every: str, words: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.new("RGB", (40, 30)).save(tmp_path / "picture.png")
    command = ["segment", str(tmp_path / "picture.png"), "--out", str(tmp_path / "out"), "--every", every, *SMALL]
    assert main(command) == 2
    assert words in capsys.readouterr().err
