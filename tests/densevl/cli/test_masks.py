"""`densevl masks` from its flags to its exit code."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densevl.backbones
from densevl.backbones import SAMBackbone
from densevl.cli.app import main
from tests.tiny import tiny_sam

LAX = ("--points", "2", "--iou=-99", "--stability", "0", "--offline")


@pytest.fixture
def picture(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    def load_sam(name: str, weights: str | None) -> SAMBackbone:
        assert (name, weights) == ("sam-vit-l", None)
        return tiny_sam(seed=1)

    monkeypatch.setattr(densevl.backbones, "load_sam", load_sam)
    path = tmp_path / "one.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (40, 60, 3), dtype=np.uint8)).save(path)
    return path


def test_masks_are_written_and_json_says_what_was_done(
    picture: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    argv = ["masks", str(picture), "--out", str(out), "--model", "vit_l", "--json", *LAX]
    assert main(argv) == 0
    captured = capsys.readouterr()
    assert json.loads(captured.out)["done"] == 1 and "model sam-vit-l, on cpu" in captured.err
    document = json.loads((out / "masks/one.json").read_text())
    assert document["model"] == "sam-vit-l" and len(document["weights"]) == 16
    assert main(argv) == 0
    assert json.loads(capsys.readouterr().out)["resumed"] == 1


def test_a_failed_input_ends_with_6_and_no_input_with_3(picture: Path, tmp_path: Path) -> None:
    picture.write_bytes(b"no picture")
    assert main(["masks", str(picture), "--out", str(tmp_path / "out"), "--model", "vit_l", *LAX]) == 6
    assert main(["masks", str(tmp_path / "gone.png"), "--out", str(tmp_path / "out"), *LAX]) == 3


def test_faulty_flags_end_with_2(picture: Path, tmp_path: Path) -> None:
    assert main(["masks", str(picture), "--out", str(tmp_path / "out"), "--points", "0"]) == 2


def test_missing_weights_end_with_4(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    Image.fromarray(np.zeros((4, 4, 3), np.uint8)).save(tmp_path / "one.png")
    for name in ("DENSEVL_WEIGHTS", "DENSEVL_CACHE", "HOME"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    assert main(["masks", str(tmp_path / "one.png"), "--out", str(tmp_path / "out"), "--offline"]) == 4
    assert "weights sam-vit-b are missing" in capsys.readouterr().err
