"""Trident by its configs: the published numbers, and the whole way from a picture to labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import densevl.backbones
from densevl.core.config import build_model, override, read_config
from densevl.tasks import Segmenter
from tests.tiny import tiny_clip, tiny_dino, tiny_sam

SETTINGS = read_config("configs/_base_/datasets/trident.py").settings
PUBLISHED = {  # short side, least probability, that of a refined region, cos_fac, refine_neg_cos, step
    "voc21": (448, 0.2, 0.2, 1.2, True, 224),
    "voc20": (336, 0.0, 0.2, 0.0, True, 112),
    "context60": (576, 0.15, 0.15, 1.2, True, 224),
    "context59": (576, 0.0, 0.15, 1.2, True, 224),
    "coco_object": (448, 0.25, 0.25, 1.2, True, 224),
    "coco_stuff": (448, 0.0, 0.05, 1.2, True, 224),
    "cityscapes": (688, 0.0, 0.1, 3.0, False, 224),
    "ade20k": (576, 0.0, 0.05, 1.2, False, 224),
    "ade847": (448, 0.0, 0.2, 1.2, True, 224),
    "context459": (448, 0.0, 0.2, 1.2, True, 224),
}


@pytest.fixture
def tiny_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, make in (("load_clip", tiny_clip), ("load_dino", tiny_dino), ("load_sam", tiny_sam)):
        monkeypatch.setattr(densevl.backbones, name, lambda make=make, **_: make())


def build(overrides: dict[str, Any]) -> Segmenter:
    return build_model(override(read_config("trident-b16"), overrides))


def test_every_data_set_has_its_settings() -> None:
    assert set(SETTINGS) == set(PUBLISHED)


@pytest.mark.parametrize("name", PUBLISHED)
def test_a_data_sets_settings_are_the_published_ones(name: str, tiny_parts: None) -> None:
    settings = SETTINGS[name]
    task = build(settings.overrides)
    guidance = task.extractor.guidance
    found = (task.geometry.short_side, settings.threshold, settings.coarse_thresh)
    assert (*found, guidance.cos_fac, guidance.refine_neg_cos, task.extractor.step) == PUBLISHED[name]
    assert (task.extractor.window, task.head.logit_scale, guidance.beta, guidance.gamma) == (336, 40.0, 1.2, 3.0)
    assert guidance.halves == (name == "cityscapes") and task.head.over_queries == (name in ("voc21", "coco_object"))


@pytest.mark.parametrize("size", [(40, 60), (9, 5), (70, 300)])
def test_a_picture_of_any_size_is_labelled(size: tuple[int, int], tiny_parts: None) -> None:
    task = build({"model.geometry.short_side": 64, "model.extractor.window": 64, "model.extractor.step": 32})
    picture = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = task.predict(picture, ["cat", "sky, cloud", "road"])
    assert result.labels.shape == size and result.labels.max() < 3
    assert result.confidence.min() >= 0 and result.confidence.max() <= 1


def test_a_background_without_words_of_its_own_is_one_word_as_published(tiny_parts: None) -> None:
    for name in ("trident-b16", "sclip-b16", "naclip-b16", "clearclip-b16", "proxyclip-b16"):
        assert read_config(name).model.rivals is False
