"""`densevl eval clips` as a user types it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from densevl.cli.app import main
from tests.entry_points import install_entry_points
from video.evaluate.protocols import get_protocol

ROOT = Path(__file__).resolve().parents[3]
FILES = ("metrics.json", "per_class.csv", "confusion.csv", "confusion.png", "predictions.csv", "failed.csv")


@pytest.fixture(autouse=True)
def _installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install_entry_points(tmp_path / "installed", monkeypatch)


def command(colours: Path, out: Path, *flags: str) -> list[str]:
    model = ["--model", str(colours / "colours.py"), "--device", "cpu", "--workers", "1"]
    return ["eval", "clips", "--data", str(colours), "--out", str(out), *model, *flags]


def with_list(colours: Path) -> list[str]:
    return ["--list", str(colours / "list.txt"), "--classes", str(colours / "classes.csv")]


def report(capsys: pytest.CaptureFixture[str], argv: list[str], code: int = 0) -> dict[str, Any]:
    capsys.readouterr()
    assert main([*argv, "--json"]) == code
    return json.loads(capsys.readouterr().out)  # type: ignore[no-any-return]


def test_a_list_is_scored_and_the_card_says_how(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = report(capsys, command(colours, tmp_path / "out", *with_list(colours), "--views", "2x3", "--frames", "1"))
    assert found["top1"] == pytest.approx(500 / 7) and found["complete"]
    card = found["card"]
    assert card["sampling"] == {"rule": "segment", "frames": 1, "stride": 1, "clips": 2}
    assert (card["crops"], card["model"], card["device"]) == ("three", "colours", "cpu")
    wanted = {"weights", "list", "classes", "normalisation", "resize", "precision", "versions", "data", "on_error"}
    assert wanted <= set(card)
    assert sorted(path.name for path in (tmp_path / "out").iterdir() if path.suffix != ".lock") == sorted(
        [*FILES, "journal.jsonl"]
    )


def test_the_text_says_figures_coverage_and_where(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (colours / "0.mp4").unlink()
    assert main(command(colours, tmp_path / "out", *with_list(colours))) == 6
    printed = capsys.readouterr()
    assert "top-1 57.14, top-3 85.71, mean class 55.56 (per cent)" in printed.out
    assert "6 of 7 clips answered, 1 counted as wrong: see failed.csv" in printed.out
    assert "1 of 7 clips are missing" in printed.err


def test_a_protocol_scores_its_splits_and_combines_them(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = (colours / "list.txt").read_text().splitlines(keepends=True)
    for split in get_protocol("base-to-novel-hmdb51").splits:
        kept = rows if split.name == "base" else rows[1:4]
        for name, text in ((split.clips, "".join(kept)), (split.classes, (colours / "classes.csv").read_text())):
            path = colours / "lists" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    flags = ["--protocol", "base-to-novel-hmdb51", "--lists", str(colours / "lists"), "--frames", "2"]
    found = report(capsys, command(colours, tmp_path / "out", *flags))
    base, novel = 500 / 7, 200 / 3
    assert found["combined"]["base"] == pytest.approx(base) and found["combined"]["novel"] == pytest.approx(novel)
    assert found["combined"]["harmonic_mean"] == pytest.approx(2 * base * novel / (base + novel))
    assert found["splits"]["novel"]["card"]["protocol"] == "base-to-novel-hmdb51"
    assert json.loads((tmp_path / "out" / "metrics.json").read_text())["combined"] == found["combined"]
    assert (tmp_path / "out" / "novel" / "predictions.csv").read_text().count("\n") == 4


def test_shards_add_up_to_one_run(colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(command(colours, tmp_path / "one", *with_list(colours))) == 0
    shard = command(colours, tmp_path / "two", *with_list(colours))
    first = report(capsys, [*shard, "--shard", "2/2"])
    assert (first["complete"], first["scored"], first["listed"]) == (False, 3, 7)
    assert report(capsys, [*shard, "--shard", "1/2"])["complete"]
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--protocol", "zero-shot-hmdb"], 2, "did you mean zero-shot-hmdb51"),
        (["--protocol", "zero-shot-hmdb51"], 3, "lacks 4 of the 4 lists"),
        (["--protocol", "zero-shot-hmdb51", "--classes", "a;b"], 2, "leave --list and --classes out"),
        (["--lists", "here"], 2, "--lists is for --protocol"),
        (["--list", "gone.txt"], 3, "gone.txt"),
        (["--shard", "3/2"], 2, "--shard"),
        (["--workers", "0"], 2, "--workers 0"),
        (["--weights", "gone.pt", "LIST"], 2, "takes no other weights"),
        (["--model", "vifi-clip-light", "LIST"], 2, "vifi-clip-lite"),
        (["--model", "auto", "--weights", "gone.pt", "LIST"], 2, "weights need a model"),
    ],
)
def test_bad_flags_get_one_message_and_their_code(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], flags: list[str], code: int, words: str
) -> None:
    if flags[-1] == "LIST":
        flags = [*flags[:-1], *with_list(colours)]
    assert main(command(colours, tmp_path / "out", *flags)) == code
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error


def test_views_that_the_rule_of_the_model_lacks_are_refused_before_anything_is_decoded(
    colours: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    config = colours / "colours.py"
    config.write_text(config.read_text().replace("num_frames=2", "num_frames=2, rule='twice', views=2"))
    assert main(command(colours, tmp_path / "out", *with_list(colours), "--views", "4x1")) == 2
    assert "'twice' has 2 views, got 4" in capsys.readouterr().err


def _start(argv: list[str], *before: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    words = [sys.executable, *before, "-m", "densevl", *argv]
    return subprocess.Popen(words, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bytes(colours: Path, tmp_path: Path) -> None:
    assert main(command(colours, tmp_path / "one", *with_list(colours))) == 0
    argv = command(colours, tmp_path / "two", *with_list(colours))
    process, journal = _start(argv), tmp_path / "two" / "journal.jsonl"
    while process.poll() is None and not (journal.exists() and journal.read_bytes().count(b"\n") >= 2):
        time.sleep(0.001)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert main(argv) == 0
    for name in FILES:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name


@pytest.mark.slow
def test_two_processes_give_what_one_gives(colours: Path, tmp_path: Path) -> None:
    assert main(command(colours, tmp_path / "one", *with_list(colours))) == 0
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    process = _start(command(colours, tmp_path / "two", *with_list(colours)), *torchrun)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    assert len(list((tmp_path / "two").glob("journal-?-of-2.jsonl"))) == 2
    one, two = (json.loads((tmp_path / name / "metrics.json").read_text()) for name in ("one", "two"))
    one["card"].pop("versions"), two["card"].pop("versions")  # the test's own metadata stands in for densevl's
    assert one == two
    for name in FILES[1:]:
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "two" / name).read_bytes(), name
