"""Every model on every data set: the published numbers, and that it builds and labels a picture at tiny size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import densevl.backbones
import densevl.refiners
from densevl.backbones import DINOBackbone
from densevl.core.config import ALIASES, build_model, dataset_configs, model_configs, override, read_config
from densevl.refiners import DINOiserRefiner, SAMMaskRefiner
from densevl.tasks import Segmenter
from densevl.tasks.geometry import geometry_overrides
from densevl.tasks.protocol import read_protocol
from densevl.vocab import parse_classes
from tests.tiny import TINY_CLIP, tiny_clip, tiny_dino, tiny_sam

CONFIGS = dataset_configs("segmentation")
EIGHT = ("voc21", "voc20", "context60", "context59", "coco_object", "coco_stuff", "cityscapes", "ade20k")
LARGE = ("ade847", "context459")  # Trident's alone
METHODS = ("maskclip_b16", "maskclip_plain_b16", "clip_dinoiser_b16", "sclip_b16", "naclip_b16", "clearclip_b16")
METHODS += ("proxyclip_b16", "trident_b16", "trident_l14", "trident_h14")
CLASSES = dict(zip(EIGHT, (21, 20, 60, 59, 81, 171, 19, 150), strict=True)) | {
    "camvid": 11,
    "ade847": 847,
    "context459": 459,
}
QUERIES = {  # where some classes are asked for with more than one word
    "voc21@trident": 46,
    "coco_object@trident": 97,
    "coco_object@sclip": 113,
    "voc21@sclip": 56,
    "voc20@sclip": 30,
}
TRIDENT = {  # short side, threshold, that of a refined region, cos_fac, refine_neg_cos, step
    "voc21": (448, 0.2, 0.2, 1.2, True, 224),
    "voc20": (336, 0, 0.2, 0.0, True, 112),
    "context60": (576, 0.15, 0.15, 1.2, True, 224),
    "context59": (576, 0, 0.15, 1.2, True, 224),
    "coco_object": (448, 0.25, 0.25, 1.2, True, 224),
    "coco_stuff": (448, 0, 0.05, 1.2, True, 224),
    "cityscapes": (688, 0, 0.1, 3.0, False, 224),
    "ade20k": (576, 0, 0.05, 1.2, False, 224),
    "ade847": (448, 0, 0.2, 1.2, True, 224),
    "context459": (448, 0, 0.2, 1.2, True, 224),
}
SHORT_SIDES = {  # (short side, window, stride) where a data set has them otherwise than the first
    "maskclip-b16": {"": (448, 448, 224)},
    "maskclip-plain-b16": {"": (448, 448, 224), "cityscapes": (448, 224, 224)},
    "clip-dinoiser-b16": {"": (448, 448, 224)},
    "sclip-b16": {"": (336, 224, 112), "cityscapes": (560, 224, 112), "coco_stuff": (448, 224, 112)},
    "naclip-b16": {"": (336, 224, 112), "cityscapes": (560, 224, 112), "coco_stuff": (448, 224, 112)},
    "clearclip-b16": {"": (448, 448, 224), "cityscapes": (448, 224, 224)},
    "proxyclip-b16": {"": (336, 336, 112), "cityscapes": (448, 224, 112), "ade20k": (448, 336, 112)},
}
THRESHOLDS = {  # voc21, context60, coco_object
    "sclip-b16": (0.1, 0.1, 0.1),
    "naclip-b16": (0.1, 0.1, 0.1),
    "clearclip-b16": (0.5, 0.15, 0.4),
    "proxyclip-b16": (0.2, 0.15, 0.25),
}
LOGIT_SCALES = {"sclip-b16-voc21": 65.0, "sclip-b16-context60": 50.0, "sclip-b16-coco-object": 50.0}


def on(model: str, data_set: str) -> dict[str, Any]:
    return read_config(f"{model}-{data_set.replace('_', '-')}").to_dict()


@pytest.fixture(scope="module")
def tiny_parts() -> dict[str, Any]:
    """Built once: what stands for the large models of every config."""
    return {"clip": tiny_clip(), "dino": tiny_dino(), "sam": tiny_sam()}


@pytest.fixture
def loaders(tiny_parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    def load_dinoiser(**options: Any) -> DINOiserRefiner:
        return DINOiserRefiner(TINY_CLIP["vision_cfg"]["width"], 8, **options)

    def load_dino(name: str) -> DINOBackbone:
        return tiny_parts["dino"]

    monkeypatch.setattr(densevl.backbones, "load_clip", lambda **_: tiny_parts["clip"])
    monkeypatch.setattr(densevl.backbones, "load_dino", load_dino)
    monkeypatch.setattr(densevl.backbones, "load_sam", lambda **_: tiny_parts["sam"])
    monkeypatch.setattr(densevl.refiners, "load_dinoiser", load_dinoiser)


def test_every_method_is_there_on_every_data_set() -> None:
    files = {f"{method}_{name}" for method in METHODS for name in EIGHT}
    files |= {f"trident_{size}_{name}" for size in ("b16", "l14", "h14") for name in LARGE}
    files |= {f"maskclip_lite_{name}" for name in (*EIGHT, "camvid")}
    assert {path.stem for path in CONFIGS.values()} == files
    assert not set(CONFIGS) & (set(model_configs()) | set(ALIASES))


@pytest.mark.parametrize("name", CONFIGS)
def test_a_config_is_its_model_on_its_data_set(name: str) -> None:
    config = read_config(name).to_dict()
    model_name = name.removesuffix("-" + config["data"]["name"].replace("_", "-"))
    model = read_config(model_name).to_dict()
    assert (config["weights"], config["parts"]) == (model["weights"], model["parts"])
    assert config["model"].keys() - {"score_refiners", "rivals"} == model["model"].keys() - {"rivals"}
    protocol = config.get("protocol", {})
    assert protocol.keys() <= {"like", "classes", "threshold", "templates"}
    if "lite" not in name:
        assert model_name.startswith(f"{protocol['like']}-")
    asked = parse_classes(protocol.get("classes", config["data"]["classes"]))
    named = parse_classes(config["data"]["classes"])
    assert len(asked) == len(named) == CLASSES[config["data"]["name"]]
    if "lite" not in name:
        assert len(asked.queries) == QUERIES.get(protocol.get("classes"), len(asked))


@pytest.mark.parametrize("name", [name for name in CONFIGS if "lite" not in name])
def test_a_config_builds_and_labels_a_picture_with_its_own_words(name: str, loaders: None) -> None:
    config = read_config(name)
    asked = read_protocol(config.protocol.to_dict(), config.data.classes)
    small = geometry_overrides(config.to_dict(), short_side=64, window=64, stride=32)
    task = build_model(override(config, small))
    bank = task.encode(asked.classes, "plain")
    (result,) = task.predict_batch([np.zeros((40, 60, 3), dtype=np.uint8)], bank, threshold=asked.threshold)
    assert result.labels.shape == (40, 60) and result.class_names == asked.classes.names
    refined_by_sam = [isinstance(refiner, SAMMaskRefiner) for refiner in task.label_refiners]
    assert refined_by_sam == ([True] if name.startswith("trident") else [])
    assert bool(task.score_refiners) == (name in ("clip-dinoiser-b16-voc21", "clip-dinoiser-b16-coco-object"))
    assert bool(task.picture_refiners) == (name == "sclip-b16-voc21")
    assert task.head.over_queries == name.startswith(("sclip", "naclip", "clearclip", "proxyclip", "trident"))


@pytest.mark.parametrize("model", ["trident-b16", "trident-l14", "trident-h14"])
@pytest.mark.parametrize("name", TRIDENT)
def test_trident_has_the_published_numbers(name: str, model: str, loaders: None) -> None:
    config = on(model, name)
    task = build_model(config)
    (refiner,), guidance = task.label_refiners, task.extractor.guidance
    found = (task.geometry.short_side, config["protocol"].get("threshold", 0), refiner.coarse_thresh)
    assert (*found, guidance.cos_fac, guidance.refine_neg_cos, task.extractor.step) == TRIDENT[name]
    assert (task.extractor.window, task.head.logit_scale, guidance.beta, guidance.gamma) == (336, 40.0, 1.2, 3.0)
    assert guidance.halves == (name == "cityscapes")
    assert (refiner.stride, refiner.iou_thresh, refiner.minimal_area) == (
        16 if model == "trident-b16" else 14,
        0.8,
        225,
    )
    assert config["refine"]["sam"] == config["model"]["score_refiners"]
    assert config["protocol"]["classes"] == f"{name}@trident"


@pytest.mark.parametrize("model", SHORT_SIDES)
@pytest.mark.parametrize("name", EIGHT)
def test_the_others_have_the_published_numbers(name: str, model: str, loaders: None) -> None:
    config = on(model, name)
    geometry = build_model(config).geometry
    sizes = SHORT_SIDES[model]
    assert (geometry.short_side, geometry.window, geometry.step) == sizes.get(name, sizes[""])
    thresholds = dict(zip(("voc21", "context60", "coco_object"), THRESHOLDS.get(model, ()), strict=False))
    assert config["protocol"].get("threshold", 0) == thresholds.get(name, 0)
    scale = read_config(model).model.head.logit_scale
    assert config["model"]["head"]["logit_scale"] == LOGIT_SCALES.get(f"{model}-{name.replace('_', '-')}", scale)


def small_trident(name: str) -> Segmenter:
    sizes = {"model.geometry.short_side": 64, "model.extractor.window": 64, "model.extractor.step": 32}
    return build_model(override(read_config(name), sizes))


@pytest.mark.parametrize("size", [(40, 60), (9, 5), (70, 300)])
def test_trident_labels_a_picture_of_any_size(size: tuple[int, int], loaders: None) -> None:
    task = small_trident("trident-b16-voc21")
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = task.predict(picture, ["cat", "sky, cloud", "road"], threshold=0.2)
    assert result.labels.shape == size and result.labels.max() < 3
    assert result.confidence.min() >= 0 and result.confidence.max() <= 1


def test_a_background_without_words_of_its_own_is_one_word_as_published() -> None:
    for name in CONFIGS:
        if "lite" not in name and name.endswith(("voc21", "context60", "coco-object")):
            assert read_config(name).model.rivals is False
    for name in ("trident-b16", "sclip-b16", "naclip-b16", "clearclip-b16", "proxyclip-b16", "clip-dinoiser-b16"):
        assert read_config(name).model.rivals is False
