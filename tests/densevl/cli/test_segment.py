"""`densevl segment` from its flags to its exit code, on the embedded model and real pictures."""

from __future__ import annotations

import argparse
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densevl.cli.app import main
from densevl.cli.segment import (
    REFINERS,
    add_model_arguments,
    model_overrides,
    parse_batch_size,
    parse_kinds,
    parse_thresholds,
    score_refiners,
)
from densevl.core.config import read_config
from densevl.core.errors import ConfigError, UsageError
from densevl.core.structures import ScoreMap, TextBank
from densevl.refiners import PAMRRefiner
from densevl.vocab import parse_classes
from tests.tiny import tiny_clip_weights

SMALL = ("--model", "lite", "--offline", "--short-side", "96")


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for name in ("one.png", "two.jpg"):
        Image.fromarray(generator.integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(folder / name)
    return folder


def test_a_folder_is_labelled_and_json_says_what_was_done(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    code = main(["segment", str(pictures), "--classes", "cat; sky", "--out", str(out), "--json", *SMALL])
    captured = capsys.readouterr()
    assert code == 0
    done = json.loads(captured.out)
    assert (done["done"], done["failed"], done["out"]) == (2, [], str(out))
    assert "lite is a small" in captured.err
    assert np.array(Image.open(out / "labels/one.png")).shape == (40, 60)


def test_some_failed_inputs_end_with_6(pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    listed = tmp_path / "list.txt"
    listed.write_text(f"{pictures / 'one.png'}\n{tmp_path / 'gone.png'}\n")
    code = main(["segment", str(listed), "--classes", "cat; sky", "--out", str(tmp_path / "out"), *SMALL])
    assert code == 6
    assert "gone.png" in capsys.readouterr().err
    assert "gone.png" in (tmp_path / "out/failed.csv").read_text()


def test_a_dry_run_prints_a_plan_and_writes_nothing(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    flags = ["--out", str(out), "--dry-run", "--json", "--window", "64", "--stride", "32"]
    assert main(["segment", str(pictures), "--classes", "cat; sky", *flags, *SMALL]) == 0
    plan = json.loads(capsys.readouterr().out)
    assert plan["files"] == 2 and plan["windows"] > 2 and plan["model"] == "maskclip-lite"
    assert not out.exists()


BAD = [
    (["nowhere", "--classes", "a; b", "--out", "OUT"], 3, "does not exist"),
    (["EMPTY", "--classes", "a; b", "--out", "OUT"], 3, "1 .txt"),
    (["PICTURES", "--classes", ";;", "--out", "OUT"], 3, "no class"),
    (["PICTURES", "--classes", "a; a", "--out", "OUT"], 3, "already"),
    (["PICTURES", "--classes", "gone.txt", "--out", "OUT"], 3, "no such file"),
    (["PICTURES", "--classes", "a; b"], 2, "--out"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--model", "lit"], 2, "did you mean lite"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--model", "gone.py"], 3, "gone.py"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--save", "labels,masks"], 2, "masks"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--threshold", "c=0.5"], 2, "no class 'c'"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--threshold", "50%"], 2, "number"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--batch-size", "0"], 2, "batch-size"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--window", "64", "--stride", "128", *SMALL], 2, "skipped"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--templates", "imagenet8", *SMALL], 2, "imagenet80"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--weights", "x.pt", *SMALL], 2, "for CLIP models"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--weights", "x.pt"], 2, "--model"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--model", "maskclip-b16", "--offline"], 4, "DENSEVL_WEIGHTS"),
    (["PICTURES", "--classes", "a; b", "--out", "FILE/out", *SMALL], 3, "cannot write"),
    (["PICTURES", "--classes", "a; b", "--out", "OUT", "--precision", "fp16", *SMALL], 2, "bf16"),
]


@pytest.mark.parametrize(("arguments", "code", "words"), BAD, ids=[words for _, _, words in BAD])
def test_bad_input_gets_one_message_and_its_exit_code(
    arguments: list[str], code: int, words: str, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty/notes.txt").write_text("x")
    (tmp_path / "file").write_text("x")
    places = {"PICTURES": pictures, "EMPTY": tmp_path / "empty", "OUT": tmp_path / "out", "FILE": tmp_path / "file"}
    argv = [str(places.get(part, part)).replace("FILE", str(tmp_path / "file")) for part in arguments]
    assert main(["segment", *argv]) == code
    error = capsys.readouterr().err
    assert words in error and "Traceback" not in error
    assert not (tmp_path / "out/labels").exists()


def test_weights_of_another_model_are_refused_with_counts(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    torch.save(tiny_clip_weights(), tmp_path / "tiny.pt")
    flags = ["--model", "maskclip-b16", "--weights", str(tmp_path / "tiny.pt"), "--out", str(tmp_path / "out")]
    assert main(["segment", str(pictures), "--classes", "a; b", *flags]) == 4
    error = capsys.readouterr().err
    assert "tiny.pt" in error and "shape" in error and "Traceback" not in error


@pytest.mark.skipif("__import__('torch').cuda.is_available()", reason="this machine has a GPU")
def test_cuda_without_a_gpu_says_which_torch_is_installed(
    pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    argv = [
        "segment",
        str(pictures),
        "--classes",
        "a; b",
        "--out",
        str(tmp_path),
        "--model",
        "lite",
        "--device",
        "cuda",
    ]
    assert main(argv) == 2
    assert "--device cpu" in capsys.readouterr().err


def test_refine_says_which_refiners_of_pictures_a_model_has(
    pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []

    def refine(self: PAMRRefiner, score_map: ScoreMap, *, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        seen.append(picture.shape)
        return replace(score_map, scores=score_map.scores.flip(1))

    monkeypatch.setattr(PAMRRefiner, "__call__", refine)
    labels = {}
    for word in ("none", "pamr"):
        out = tmp_path / word
        assert (
            main(["segment", str(pictures), "--classes", "cat; sky", "--out", str(out), "--refine", word, *SMALL]) == 0
        )
        labels[word] = [np.array(Image.open(path)) for path in sorted((out / "labels").rglob("*.png"))]
        assert len(seen) == (0 if word == "none" else len(labels[word]))
    assert all((plain + refined == 1).all() for plain, refined in zip(labels["none"], labels["pamr"], strict=True))


def test_windows_and_sides_of_the_flags_reach_the_model_where_it_has_them() -> None:
    parser = argparse.ArgumentParser()
    add_model_arguments(parser)
    args = parser.parse_args(["--window", "224", "--stride", "112", "--short-side", "600", "--quickgelu"])
    shared = {
        "model.geometry.short_side": 600,
        "model.geometry.longest_side": 2400,
        "parts.clip_model.quickgelu": True,
    }
    trident = {"model.extractor.window": 224, "model.extractor.step": 112, **shared}
    assert model_overrides(args, read_config("trident-b16")) == trident
    sclip = {"model.geometry.window": 224, "model.geometry.stride": 112, **shared}
    assert model_overrides(args, read_config("sclip-b16")) == sclip
    assert model_overrides(parser.parse_args([]), read_config("trident-b16")) == {}


def test_refine_keeps_the_score_refiners_that_are_no_words_of_it() -> None:
    config = read_config("clip-dinoiser-b16-background")
    found, pamr = {"type": "densevl.refiners.FoundRule", "delta": 0.99}, REFINERS["pamr"]
    assert score_refiners(config, "pamr") == [*pamr, found]
    config.merge_from_dict({"model.score_refiners": [found, *pamr]})
    assert score_refiners(config, "none") == [found]
    assert score_refiners(read_config("lite"), "none") == []
    area = {"type": "densevl.refiners.SmallClassRefiner", "least_share": 0.1}
    assert score_refiners(read_config("sclip-b16-voc21"), "pamr") == [*pamr, area]


@pytest.mark.parametrize(
    "changes",
    [
        {"model.score_refiners": [{"steps": 3}]},
        {"model.score_refiners": None},
        {"refine": None},
        {"refine": [1]},
        {"refine": {"pamr": {"type": "densevl.refiners.PAMRRefiner"}}},
    ],
)
def test_refiners_of_a_config_that_are_none_are_named(changes: dict[str, object]) -> None:
    config = read_config("lite")
    config.merge_from_dict(changes)
    with pytest.raises(ConfigError, match=r"must hold lists of dict\(type"):
        score_refiners(config, "pamr")


def test_the_labels_are_always_written() -> None:
    assert parse_kinds("overlay") == ("labels", "overlay")
    assert parse_kinds("geojson, labels") == ("labels", "geojson")


def test_thresholds_for_all_and_for_one() -> None:
    classes = parse_classes("cat; sky")
    assert parse_thresholds([], classes) == {}
    assert parse_thresholds(["0.3", "sky=0.5"], classes) == {"cat": 0.3, "sky": 0.5}


def test_batch_size_is_auto_or_a_number() -> None:
    assert parse_batch_size("auto") is None
    assert parse_batch_size("12") == 12
    with pytest.raises(UsageError):
        parse_batch_size("many")
