"""Every config we ship builds and labels a picture at tiny size."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import densevl.backbones
import densevl.refiners
import densevl.weights
from densevl.core.config import build_model, model_configs, override, read_config
from densevl.core.errors import ClassListError, WeightsError
from densevl.refiners import DINOiserRefiner
from tests.tiny import TINY_CLIP, tiny_clip

NAMES = sorted(model_configs("segmentation"))


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """Loaders of large weights give tiny models; what they were asked for is noted."""
    noted: dict[str, str] = {}
    width = TINY_CLIP["vision_cfg"]["width"]

    def load_dinoiser(weights: str = "clip-dinoiser-last", **options: Any) -> DINOiserRefiner:
        noted["dinoiser"] = weights
        return DINOiserRefiner(width, 8, **options)

    monkeypatch.setattr(densevl.backbones, "load_clip", lambda **options: noted.update(options) or tiny_clip())
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
        assert config.weights == [row and row.name, *([asked["dinoiser"]] if "dinoiser" in asked else [])]
    if name.startswith("maskclip-") and "lite" not in name:
        plain = "plain" in name
        assert (task.extractor.keep_residual, task.extractor.keep_mlp) == (not plain, not plain)


def test_the_found_rule_wants_a_background_class(asked: dict[str, str]) -> None:
    picture = np.zeros((40, 60, 3), dtype=np.uint8)
    with pytest.raises(ClassListError, match="background"):
        build_model(read_config("clip-dinoiser-b16-background")).predict(picture, ["cat", "sky"])
    assert build_model(read_config("clip-dinoiser-b16")).predict(picture, ["cat", "sky"]).labels.shape == (40, 60)


def test_another_tap_of_the_same_width_is_noticed_at_the_first_picture(asked: dict[str, str]) -> None:
    task = build_model(override(read_config("clip-dinoiser-b16"), {"model.extractor.guide_block": -2}))
    with pytest.raises(WeightsError, match="trained on guide_block=-3, the extractor gives -2"):
        task.predict(np.zeros((40, 60, 3), dtype=np.uint8), ["cat", "sky"])
