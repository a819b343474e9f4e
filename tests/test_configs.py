"""Every config we ship builds and labels a picture at tiny size."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import densevl.backbones
import densevl.refiners
import densevl.weights
import video.models
from densevl.backbones import DINOBackbone, SAMBackbone
from densevl.core.config import build, build_model, config_folder, model_configs, override, read_config
from densevl.core.errors import ClassListError, WeightsError
from densevl.data.crops import CropRule
from densevl.engine.plan import in_updates
from densevl.refiners import DINOiserRefiner, PAMRRefiner
from tests.tiny import TINY_CLIP, tiny_clip, tiny_dino, tiny_found, tiny_sam
from tests.video.models.tiny_vifi import PROMPTS, tiny_vifi
from video.sampling import FrameRule
from video.transforms import TrainingView

NAMES = sorted(model_configs("segmentation"))
TRAINING = sorted(config_folder().glob("*/*/train_*.py"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Loaders of large weights give tiny models; what they were asked for is noted."""
    noted: dict[str, str] = {}
    width = TINY_CLIP["vision_cfg"]["width"]

    def load_dinoiser(weights: str = "clip-dinoiser-last", **options: Any) -> DINOiserRefiner:
        noted["dinoiser"] = weights
        return DINOiserRefiner(width, 8, **options)

    def load_dino(name: str = "dino-vit-b16") -> DINOBackbone:
        noted["dino"] = name
        return tiny_dino()

    def load_sam(name: str = "sam-vit-b") -> SAMBackbone:
        noted["sam"] = name
        return tiny_sam()

    monkeypatch.setattr(densevl.backbones, "load_clip", lambda **options: noted.update(options) or tiny_clip())
    monkeypatch.setattr(densevl.backbones, "load_dino", load_dino)
    monkeypatch.setattr(densevl.backbones, "load_sam", load_sam)
    monkeypatch.setattr(densevl.refiners, "load_dinoiser", load_dinoiser)
    return noted


@pytest.mark.parametrize("name", NAMES)
def test_every_config_builds_and_labels_a_picture(name: str, asked: dict[str, str]) -> None:
    config = read_config(name)
    task = build_model(config)
    classes = ["cat", "sky", "background"]
    assert task.predict(np.zeros((40, 60, 3), dtype=np.uint8), classes).labels.shape == (40, 60)
    for weights in config.weights:
        assert densevl.weights.get_row(weights).licence
    if "model" in asked:  # the list of weights names what is loaded
        row = densevl.weights.find_clip_row(asked["model"], asked["pretrained"])
        beside = [asked[part] for part in ("dinoiser", "dino", "sam") if part in asked]
        assert config.weights == [row and row.name, *beside]
    if name.startswith("maskclip-") and "lite" not in name:
        plain = "plain" in name
        assert (task.extractor.keep_residual, task.extractor.keep_mlp) == (not plain, not plain)


SELF_ATTENTION = {
    "sclip-b16": (("qq", "kk"), None, True, (336, 224, 112), 40.0),
    "naclip-b16": (("kk",), 5.0, False, (336, 224, 112), 40.0),
    "clearclip-b16": (("qq",), None, False, (448, 448, 224), 50.0),
}


@pytest.mark.parametrize("name", SELF_ATTENTION)
def test_sclips_family_has_the_published_numbers(name: str, asked: dict[str, str]) -> None:
    task = build_model(read_config(name))
    extractor, geometry = task.extractor, task.geometry
    assert extractor.keep_residual == extractor.keep_mlp
    sizes = (geometry.short_side, geometry.window, geometry.stride)
    found = (extractor.pairs, extractor.sigma, extractor.keep_mlp, sizes, task.head.logit_scale)
    assert found == SELF_ATTENTION[name]
    assert (task.head.softmax, task.text_encoder.templates) == (False, "imagenet80")
    assert (asked["model"], asked["pretrained"]) == ("ViT-B-16", "openai")


def test_naclip_is_refined_at_distances_of_its_own(asked: dict[str, str]) -> None:
    config = read_config("naclip-b16")
    task = build_model(override(config, {"model.score_refiners": config.refine["pamr"]}))
    (refiner,) = task.picture_refiners
    assert isinstance(refiner, PAMRRefiner) and (refiner.steps, tuple(refiner.dilations)) == (10, (8, 16))
    assert PAMRRefiner().dilations == (1, 2, 4, 8, 12, 24)


def test_proxyclip_has_the_published_numbers(asked: dict[str, str]) -> None:
    task = build_model(read_config("proxyclip-b16"))
    assert (task.extractor.beta, task.extractor.gamma, asked["dino"]) == (1.2, 3.0, "dino-vit-b8")
    sizes = (task.geometry.short_side, task.geometry.window, task.geometry.stride)
    assert (sizes, task.head.logit_scale, task.head.softmax) == ((336, 336, 112), 40.0, False)


def test_the_found_rule_wants_a_background_class(asked: dict[str, str]) -> None:
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    with pytest.raises(ClassListError, match="background"):
        build_model(read_config("clip-dinoiser-b16-background")).predict(picture, ["cat", "sky"])
    assert build_model(read_config("clip-dinoiser-b16")).predict(picture, ["cat", "sky"]).labels.shape == (40, 60)


def test_another_tap_of_the_same_width_is_noticed_at_the_first_picture(asked: dict[str, str]) -> None:
    task = build_model(override(read_config("clip-dinoiser-b16"), {"model.extractor.guide_block": -2}))
    with pytest.raises(WeightsError, match="trained on guide_block=-3, the extractor gives -2"):
        task.predict(np.zeros((40, 60, 3), dtype=np.uint8), ["cat", "sky"])


@pytest.mark.parametrize("path", TRAINING, ids=lambda path: path.stem)
def test_every_training_config_builds_a_step_and_a_plan(
    path: Path, asked: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(densevl.backbones, "load_dino", lambda name: tiny_dino())
    monkeypatch.setattr(densevl.refiners, "load_found", tiny_found)
    monkeypatch.setattr(video.models, "load_vifi_clip", lambda weights, prompts: tiny_vifi(PROMPTS))
    config = read_config(path).to_dict()
    if path.stem.startswith("train_clip_dinoiser"):
        config["train"]["student"]["guide_channels"] = TINY_CLIP["vision_cfg"]["width"]
    parts: dict[str, Any] = {
        "training_set": SimpleNamespace(
            class_names=("running", "cooking"), view=SimpleNamespace(size=64), frames=FrameRule()
        )
    }
    parts |= {name: build(node, parts) for name, node in config.get("parts", {}).items()}
    step = build(config["train"], parts)
    groups = step.parameter_groups()
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in step.parameters() if p.requires_grad}
    plan = build(in_updates(config["plan"], per_epoch=7))
    assert plan.iterations == 7 * config["plan"]["epochs"]
    for weights in config["weights"]:
        assert densevl.weights.get_row(weights).source
    assert isinstance(build(config["data"].get("view", config["data"].get("rule"))), (CropRule, TrainingView))


@pytest.mark.parametrize(
    "name, epochs, rate, batch_size, frames",
    [
        ("k400", 30, 2.2e-5, 512, 16),
        ("zero_shot", 10, 8e-6, 256, 32),
        ("base_to_novel", 11, 2e-6, 64, 32),
        ("few_shot", 50, 2e-6, 64, 32),
        ("prompts_base_to_novel", 11, 4e-2, 64, 32),
        ("prompts_few_shot", 50, 8e-3, 64, 32),
    ],
)
def test_vifi_clip_is_trained_by_the_published_numbers(
    name: str, epochs: int, rate: float, batch_size: int, frames: int
) -> None:
    config = read_config(config_folder() / f"video/vifi_clip/train_vifi_clip_b16_{name}.py")
    assert (config.plan.epochs, config.train.rate, config.data.batch_size) == (epochs, rate, batch_size)
    assert config.data.frames.num_frames == frames and config.plan.weight_decay == 0.001
    assert config.plan.schedule.warmup_epochs == 5 and config.data.batch_size % config.plan.accumulate == 0
