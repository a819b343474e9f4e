"""A run over clips: outputs, resume, failures; a continued run gives the bytes of an unbroken one."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from densevl.core.errors import ClipError, WeightsError
from densevl.tasks.run_documents import RunResult
from densevl.vocab import parse_classes
from tests.damaged_clips import remux
from tests.video.fakes import colour_classifier, colour_clip
from video.classifier import VideoClassifier
from video.clip_run import ClipRun, ClipRunOptions
from video.clip_source import ClipSource, LongVideo, WindowRule, find_inputs

KINDS = ("csv", "jpg", "json", "srt")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    (folder / "sub").mkdir()
    colour_clip(folder / "a.mp4", [("red", 15)])
    colour_clip(folder / "sub/b.mp4", [("blue", 15)])
    colour_clip(folder / "long.mp4", [("green", 60), ("blue", 60)])
    return folder


def recognise(
    folder: Path,
    out: Path,
    classes: str = "red; green; blue",
    classifier: VideoClassifier | None = None,
    **options: Any,
) -> RunResult:
    classifier = classifier or colour_classifier()
    paths, names = find_inputs(str(folder), exclude=out)
    rule = options.pop("rule", WindowRule(5, 2, 1))
    source = ClipSource(paths, names, views=classifier.views, rule=rule)
    watching = options.pop("watching", lambda video, seconds: None)
    run = ClipRun(classifier, source, parse_classes(classes), options=ClipRunOptions(**options))
    return run.run(out, watching=watching)


def table(path: Path) -> list[dict[str, str]]:
    with path.open() as stream:
        return list(csv.DictReader(stream))


def outputs(out: Path) -> dict[str, bytes]:
    files = [path for path in out.rglob("*") if path.is_file() and path.name not in ("run.json", "journal.jsonl")]
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files if not path.name.startswith(".")}


def test_every_clip_gets_a_row_and_long_ones_a_timeline(folder: Path, tmp_path: Path) -> None:
    result = recognise(folder, tmp_path)
    assert (result.done, result.resumed, result.failed) == (3, 0, ())
    rows = table(tmp_path / "predictions.csv")
    assert [(Path(row["path"]).name, row["label"], row["segments"]) for row in rows] == [
        ("a.mp4", "red", ""),
        ("long.mp4", rows[1]["label"], "2"),
        ("b.mp4", "blue", ""),
    ]
    assert sorted(path.name for path in (tmp_path / "timeline").iterdir()) == [f"long.{kind}" for kind in KINDS]
    assert [row["label"] for row in table(tmp_path / "timeline/long.csv")] == ["green", "blue"]
    summary = {row["label"]: (row["clips"], float(row["timeline_sec"])) for row in table(tmp_path / "summary.csv")}
    assert summary["red"] == ("1", 0) and summary["blue"] == ("1", pytest.approx(6, abs=0.6))
    settings = json.loads((tmp_path / "run.json").read_text())["settings"]
    assert settings["windows"] == {"long_sec": 5, "window_sec": 2, "stride_sec": 1} and len(settings["weights"]) == 16
    assert (tmp_path / "classes.json").is_file() and table(tmp_path / "failed.csv") == []


def test_the_same_command_decodes_nothing_and_a_lost_file_is_made_again(folder: Path, tmp_path: Path) -> None:
    recognise(folder, tmp_path)
    whole = outputs(tmp_path)
    classifier = colour_classifier()
    result = recognise(folder, tmp_path, classifier=classifier)
    assert (result.done, result.resumed) == (0, 3) and classifier.recogniser.clips == 0
    (tmp_path / "timeline/long.srt").unlink()
    result = recognise(folder, tmp_path)
    assert (result.done, result.resumed) == (1, 2)
    assert outputs(tmp_path) == whole


@pytest.mark.parametrize(
    "change",
    [
        {"classes": "red; green; grey"},
        {"rule": WindowRule(5, 2, 2)},
        {"kinds": ("csv",)},
        {"classifier": colour_classifier(num_frames=5)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_changed_settings_run_everything_again(folder: Path, tmp_path: Path, change: dict[str, object]) -> None:
    recognise(folder, tmp_path)
    result = recognise(folder, tmp_path, **change)
    assert (result.done, result.resumed) == (3, 0)


def test_kinds_not_asked_for_are_not_written_and_old_ones_go(folder: Path, tmp_path: Path) -> None:
    recognise(folder, tmp_path)
    recognise(folder, tmp_path, kinds=("srt",))
    assert [path.name for path in (tmp_path / "timeline").iterdir()] == ["long.srt"]
    other = tmp_path / "other"
    recognise(folder / "sub", other, kinds=())
    assert not (other / "timeline").exists() and len(table(other / "predictions.csv")) == 1


def test_a_limit_makes_every_clip_long_or_none(folder: Path, tmp_path: Path) -> None:
    recognise(folder, tmp_path / "all", rule=WindowRule(0, 2, 1))
    assert len(list((tmp_path / "all/timeline").rglob("*.csv"))) == 3
    recognise(folder, tmp_path / "none", rule=WindowRule(100, 2, 1))
    assert not (tmp_path / "none/timeline").exists()


def test_damaged_clips_are_listed_and_the_others_done(folder: Path, tmp_path: Path) -> None:
    clips = tmp_path / "clips"
    shutil.copytree(folder, clips)
    (clips / "page.mp4").write_text("<html>")
    (clips / "empty.mp4").touch()
    result = recognise(clips, tmp_path / "out")
    assert (result.done, [failure.name for failure in result.failed]) == (3, ["empty", "page"])
    assert "0 bytes" in table(tmp_path / "out/failed.csv")[0]["reason"]
    with pytest.raises(ClipError, match=r"empty\.mp4"):
        recognise(clips, tmp_path / "stop", on_error="stop")


def test_an_interrupted_run_goes_on_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    def interrupt(video: LongVideo, seconds: float) -> None:
        if seconds > 5:
            raise KeyboardInterrupt

    recognise(folder, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        recognise(folder, tmp_path / "broken", watching=interrupt)
    assert not (tmp_path / "broken/predictions.csv").exists()
    result = recognise(folder, tmp_path / "broken")
    assert result.resumed == 1 and result.done == 2  # a.mp4 was written before the interrupt
    assert outputs(tmp_path / "broken") == outputs(tmp_path / "whole")


def test_watching_is_told_how_far_a_long_video_has_come(folder: Path, tmp_path: Path) -> None:
    told: list[tuple[str, float]] = []
    recognise(folder, tmp_path, watching=lambda video, seconds: told.append((video.path.name, seconds)))
    assert {name for name, _ in told} == {"long.mp4"} and told[-1][1] == 12


@pytest.mark.parametrize("long_sec", [0, 100])
def test_a_clip_that_is_cut_off_is_done_up_to_there_and_says_so(
    tmp_path: Path, long_sec: float, caplog: pytest.LogCaptureFixture
) -> None:
    whole = colour_clip(tmp_path / "whole.mp4", [("red", 60)])
    (tmp_path / "clips").mkdir()
    cut = remux(whole, tmp_path / "clips/cut.mp4", options={"movflags": "faststart"})
    cut.write_bytes(cut.read_bytes()[: -cut.stat().st_size // 5])
    shutil.copy(whole, tmp_path / "clips")
    recognise(tmp_path / "clips", tmp_path / "out", rule=WindowRule(long_sec, 2, 1))
    rows = {Path(row["path"]).stem: row for row in table(tmp_path / "out/predictions.csv")}
    assert rows["cut"]["label"] == "red" and rows["cut"]["note"].startswith("cut off: ")
    assert rows["whole"]["note"] == "" and caplog.text.count("cut off") == 1


@pytest.mark.parametrize("long_sec", [0, 100])
def test_a_model_that_gives_no_numbers_ends_the_run(folder: Path, tmp_path: Path, long_sec: float) -> None:
    classifier = colour_classifier()
    classifier.recogniser.scale.data.fill_(float("nan"))
    with pytest.raises(WeightsError, match="gives no number"):
        recognise(folder, tmp_path / "out", classifier=classifier, rule=WindowRule(long_sec, 2, 1))
    assert not (tmp_path / "out/predictions.csv").exists()
