"""`densevl segment --refine sam` from its flags to its exit code."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import densevl.backbones
from densevl.cli.app import main
from densevl.cli.segment import REFINERS, score_refiners
from densevl.core.config import build_model, model_configs, override, read_config
from densevl.refiners import SAMMaskRefiner
from tests.tiny import tiny_clip, tiny_dino, tiny_sam

SMALL = ("--model", "lite", "--offline", "--short-side", "96")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "one.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 130, 3), dtype=np.uint8)).save(path)
    return path


def segment(picture: Path, out: Path, word: str) -> int:
    return main(["segment", str(picture), "--classes", "cat; sky; road", "--out", str(out), "--refine", word, *SMALL])


def test_any_models_pictures_are_refined_within_the_masks(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(densevl.backbones, "load_sam", lambda: tiny_sam(seed=1))
    monkeypatch.setitem(REFINERS["sam"][0], "iou_thresh", -99.0)
    found = []
    for word in ("none", "sam"):
        assert segment(picture, tmp_path / word, word) == 0
        found.append(np.array(Image.open(tmp_path / word / "confidence/one.png")))
    changed = (found[0] != found[1]).mean()
    assert 0 < changed < 1  # the labels may be the same


def test_missing_weights_of_sam_end_with_4_and_say_what_to_do(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("DENSEVL_WEIGHTS", "DENSEVL_CACHE"):
        monkeypatch.setenv(name, str(tmp_path / "empty"))
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    assert segment(picture, tmp_path / "out", "sam") == 4
    message = capsys.readouterr().err
    assert "weights sam-vit-b are missing" in message and "DENSEVL_WEIGHTS" in message


def test_weights_of_another_sam_end_with_4(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import torch

    torch.save({"image_encoder.pos_embed": torch.zeros(1, 64, 64, 1024)}, tmp_path / "vit_l.pth")
    node = {"type": "densevl.backbones.load_sam", "weights": str(tmp_path / "vit_l.pth")}
    monkeypatch.setitem(REFINERS["sam"][0], "sam", node)
    assert segment(picture, tmp_path / "out", "sam") == 4
    assert "of SAM vit_l, the model is SAM vit_b" in capsys.readouterr().err


@pytest.mark.parametrize("name", [name for name in model_configs("segmentation") if name.startswith("trident")])
def test_trident_refines_with_the_sam_it_sees_with(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    config = read_config(name)
    (node,) = score_refiners(config, "sam")
    assert node["sam"] == config.model.extractor.sam == "$sam"
    patch = int(config.parts.clip_model.model.rpartition("-")[2])
    assert node["stride"] == "$patch" and config.parts.patch == patch
    assert "score_refiners" not in config.model  # the configs of data sets have it
    for loader, tiny in (("load_clip", tiny_clip), ("load_dino", tiny_dino), ("load_sam", tiny_sam)):
        monkeypatch.setattr(densevl.backbones, loader, lambda *_, tiny=tiny, **__: tiny())
    task = build_model(override(config, {"model.score_refiners": [node], "model.extractor.step": 112}))
    (refiner,) = task.label_refiners
    assert isinstance(refiner, SAMMaskRefiner) and refiner.stride == patch
    assert refiner.sam is task.extractor.sam
    embedded, embed = [], refiner.sam.embed
    monkeypatch.setattr(refiner.sam, "embed", lambda pixels: embedded.append(1) or embed(pixels))
    refiner.coarse_thresh, refiner.minimal_area = 0.0, 1
    task.predict_batch([np.zeros((96, 112, 3), np.uint8)], task.encode(["cat", "sky"]))
    assert len(embedded) == (1 if patch == 16 else 2)  # the tiny CLIP's patch is 16: else two views
