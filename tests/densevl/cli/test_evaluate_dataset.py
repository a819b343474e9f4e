"""`densevl eval CONFIG --data DIR` with the embedded model on a small data set in the layout of ADE20K."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from densevl.cli.app import main
from tests.kill_and_resume import kill_and_resume, start_evaluation

FILES = ("metrics.json", "metrics.md", "per_class.csv", "confusion.csv", "confusion.png", "failed.csv")
COUNT = 5
SMALL = ("--short-side", "96", "--offline", "--device", "cpu")


def draw(index: int, values: int) -> np.ndarray:
    generator = np.random.default_rng(index)
    coarse = generator.integers(0, values, (4, 5 + index % 2, 3), dtype=np.uint8)
    return coarse.repeat(24, axis=0).repeat(24, axis=1)


@pytest.fixture(scope="module")
def drawn(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ade(tmp_path_factory.mktemp("ade"))


def write_ade(root: Path) -> Path:
    """Official layout: 0 = other, and classes from 1; some of them what lite takes such blocks for."""
    ids = np.array([0, 1, 3, 3, 19, 149], dtype=np.uint8)
    for place in ("images", "annotations"):
        (root / place / "validation").mkdir(parents=True)
    for index in range(COUNT):
        name = f"validation/ADE_val_{index + 1:08}"
        Image.fromarray(draw(index, 256)).save(root / "images" / f"{name}.jpg")
        Image.fromarray(ids[draw(index + 100, len(ids))[..., 0]]).save(root / "annotations" / f"{name}.png")
    return root


@pytest.fixture
def ade(drawn: Path, tmp_path: Path) -> Path:
    return write_ade(tmp_path / "ade")


@pytest.fixture(scope="module")
def whole(drawn: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("whole")
    assert main(command(drawn, out, "--save-labels")) == 0
    return out


def command(data: Path, out: Path | None, *flags: str, config: str = "maskclip-lite-ade20k") -> list[str]:
    place = [] if out is None else ["--out", str(out)]
    return ["eval", config, "--data", str(data), *place, *SMALL, *flags]


def read(out: Path) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((out / "metrics.json").read_text())
    return found


def same(one: Path, two: Path) -> None:
    for name in FILES:
        assert (one / name).read_bytes() == (two / name).read_bytes(), name


def test_figures_and_card_of_a_small_ade20k(whole: Path) -> None:
    metrics, card = read(whole), read(whole)["card"]
    assert (metrics["pictures"], metrics["scored"], len(metrics["classes"])) == (COUNT, COUNT, 150)
    assert all(0 < metrics[key] < 100 for key in ("mIoU", "mAcc", "aAcc", "fwIoU", "boundary_mIoU", "ECE"))
    assert (card["model"], card["data"]["name"], card["data"]["pictures"]) == ("maskclip-lite-ade20k", "ade20k", COUNT)
    assert (card["words"]["list"], card["words"]["classes"], card["resize"]["short_side"]) == ("ade20k", 150, 96)
    assert card["data"]["reduce_zero_label"] is True and len(card["weights"]) == 64
    assert "root" not in json.dumps(card) and str(whole) not in json.dumps(card)


def test_the_figures_are_those_of_the_saved_label_maps(
    drawn: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gt = str(drawn / "annotations" / "validation")
    flags = ("--gt", gt, "--classes", "ade20k", "--reduce-zero-label", "--json")
    assert main(["eval", "masks", "--pred", str(whole), *flags]) == 0
    report, metrics = json.loads(capsys.readouterr().out), read(whole)
    for key in ("mIoU", "mAcc", "aAcc", "fwIoU"):
        assert metrics[key] == pytest.approx(report[key], rel=1e-12), key


def test_the_saved_label_maps_are_those_of_segment(drawn: Path, whole: Path, tmp_path: Path) -> None:
    source = str(drawn / "images" / "validation")
    flags = ("--model", "lite", "--classes", "ade20k", "--save", "labels", *SMALL)
    assert main(["segment", source, *flags, "--out", str(tmp_path)]) == 0
    found = sorted((whole / "labels").rglob("*.png"))
    assert len(found) == COUNT
    for path in found:
        assert path.read_bytes() == (tmp_path / "labels" / path.name).read_bytes()


def test_shards_share_a_folder_and_give_what_one_run_gives(
    drawn: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(drawn, tmp_path, "--shard", "2/2", "--json")) == 0
    assert json.loads(capsys.readouterr().out) == {
        "out": str(tmp_path),
        "complete": False,
        "scored": COUNT // 2,
        "pictures": COUNT,
    }
    assert main(command(drawn, tmp_path, "--shard", "1/2")) == 0
    assert "see " in capsys.readouterr().out
    same(whole, tmp_path)


def test_the_same_command_again_scores_nothing_and_prints_the_same(
    drawn: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = (whole / "journal.jsonl").read_bytes()
    assert main(command(drawn, whole, "--json")) == 0
    told = json.loads(capsys.readouterr().out)
    assert {key: told[key] for key in read(whole)} == read(whole)
    assert (whole / "journal.jsonl").read_bytes() == before


def test_without_an_out_folder_the_figures_are_printed_alone(
    drawn: Path, whole: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(drawn, None)) == 0
    printed = capsys.readouterr().out
    assert f"{read(whole)['mIoU']:.2f}" in printed and "see " not in printed
    assert main(command(drawn, None, "--shard", "1/2")) == 2
    assert "--out DIR" in capsys.readouterr().err


def test_a_published_protocol_is_taken_over_and_explained(
    drawn: Path, whole: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [word for word in command(drawn, tmp_path, "--like", "trident") if word not in ("--short-side", "96")]
    assert main([*argv, "--limit", "1", "--templates", "name"]) == 0
    card = read(tmp_path)["card"]
    assert (card["like"], card["words"]["list"], card["resize"]["short_side"]) == ("trident", "ade20k@trident", 576)
    assert card["templates"]["set"] == "name"  # a flag comes after the protocol
    capsys.readouterr()
    assert main(["eval", "--explain", str(whole / "metrics.json"), str(tmp_path / "metrics.json")]) == 0
    printed = capsys.readouterr().out
    for words in ("the resize rule (resize.short_side): 96 against 576; changes", "the words the model is asked with"):
        assert words in printed


def test_flags_and_assignments_reach_protocol_data_and_model(drawn: Path, tmp_path: Path) -> None:
    flags = ("--threshold", "0.3", "--ignore", "7", "--templates", "name", "--limit", "2")
    assert main(command(drawn, tmp_path, *flags, "--set", "model.head.logit_scale=30", "--set", "data.name=mine")) == 0
    card = read(tmp_path)["card"]
    assert (card["threshold"], card["data"]["ignore"], card["data"]["name"]) == (0.3, [7], "mine")
    assert (card["templates"]["set"], card["data"]["pictures"]) == ("name", 2)
    assert card["config"]["model"]["head"]["logit_scale"] == 30


def test_a_model_alone_is_scored_on_a_pair_of_folders(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for place, values in (("images", 256), ("labels", 3)):
        (tmp_path / place / "sub").mkdir(parents=True)
        picture = draw(1, values) if place == "images" else draw(2, values)[:, :, 0].repeat(1, axis=0)
        Image.fromarray(picture[:96, :120]).save(tmp_path / place / "sub" / "a.png")
    argv = command(tmp_path, None, "--json", config="lite")
    assert main(argv) == 2
    assert "--classes" in capsys.readouterr().err
    assert main([*argv, "--classes", "cat; sky", "--ignore", "2"]) == 0
    metrics = json.loads(capsys.readouterr().out)
    assert (metrics["pictures"], [row["name"] for row in metrics["classes"]]) == (1, ["cat", "sky"])
    assert main([*argv, "--classes", "cat; sky"]) == 3
    assert "--ignore" in capsys.readouterr().err


def test_auto_says_which_model_it_took_and_why(
    tmp_path: Path, bare_machine: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for place in ("images", "labels"):
        (tmp_path / place).mkdir()
        Image.fromarray(np.zeros((24, 32), dtype=np.uint8)).save(tmp_path / place / "a.png")
    assert main(command(tmp_path, None, "--classes", "cat; sky", config="auto")) == 0
    assert "model maskclip-lite: the best one whose weights are here" in capsys.readouterr().err
    assert main(command(tmp_path, None, "--classes", "cat; sky", "--weights", "x.pt", config="auto")) == 2
    assert "not auto" in capsys.readouterr().err


def test_what_cannot_be_read_is_skipped_listed_and_told_by_the_exit_code(
    ade: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    broken = ade / "images" / "validation" / "ADE_val_00000002.jpg"
    broken.write_bytes(broken.read_bytes()[:300])
    assert main(command(ade, tmp_path / "out")) == 6
    assert "1 of 5 pictures failed: see" in capsys.readouterr().err
    failed = (tmp_path / "out" / "failed.csv").read_text().splitlines()
    assert len(failed) == 2 and "ADE_val_00000002" in failed[1]
    assert main(command(ade, tmp_path / "stop", "--on-error", "stop")) == 3


@pytest.mark.parametrize(
    ("flags", "code", "words"),
    [
        (["--shard", "0/2"], 2, "--shard"),
        (["--limit", "0"], 2, "--limit 0"),
        (["--like", "tridant"], 2, "did you mean trident"),
        (["--classes", "cat; sky"], 3, "150 classes of the data set, got 2"),
        (["--threshold", "2"], 2, "a probability lies in"),
        (["--set", "model.head.temperatur=1", "--batch-size", "none"], 2, "--batch-size none"),
        (["--set", "data.root_of_all=1"], 3, "root_of_all"),
    ],
)
def test_what_does_not_fit_is_said_before_the_model_is_loaded(
    drawn: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    flags: list[str],
    code: int,
    words: str,
) -> None:
    monkeypatch.setattr("densevl.backbones.load_lite", None)
    assert main(command(drawn, tmp_path, *flags)) == code
    assert words in capsys.readouterr().err


@pytest.mark.slow
def test_two_processes_give_what_one_gives_with_as_many_threads_each(drawn: Path, tmp_path: Path) -> None:
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}  # torchrun's own choice; the last bits of scores depend on it
    torchrun = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    for name, start in (("one", []), ("two", torchrun)):
        argv = [sys.executable, *start, "-m", "densevl", *command(drawn, tmp_path / name)]
        process = subprocess.run(argv, capture_output=True, text=True, timeout=300, env=environment)
        assert process.returncode == 0, process.stderr
        assert process.stderr.count("densevl: model ") == 1  # the first process speaks for all
    assert len(list((tmp_path / "two").glob("journal-?-of-2.jsonl"))) == 2
    same(tmp_path / "one", tmp_path / "two")


@pytest.mark.slow
def test_a_run_killed_three_times_ends_as_an_unbroken_one(tmp_path: Path) -> None:
    assert kill_and_resume(tmp_path, kills=3, start=start_evaluation) >= 1
    assert (tmp_path / "broken" / "metrics.json").is_file()
