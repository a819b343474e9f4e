from __future__ import annotations

import numpy as np
import pytest

import densevl.backbones
import densevl.weights
from densevl.core.config import build_model, model_configs, read_config
from tests.tiny import tiny_clip

NAMES = [name for name in model_configs() if name.startswith("maskclip-") and "lite" not in name]


@pytest.mark.parametrize("name", NAMES)
def test_every_config_builds_and_labels_a_picture_at_tiny_size(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = {}
    monkeypatch.setattr(densevl.backbones, "load_clip", lambda **options: asked.update(options) or tiny_clip())
    config = read_config(name)
    task = build_model(config)
    assert asked["model"].startswith("ViT-")
    row = densevl.weights.get_row(config.weights[0])
    assert row is densevl.weights.find_clip_row(asked["model"], asked["pretrained"])  # the list names what is loaded
    plain = "plain" in name
    assert (task.extractor.keep_residual, task.extractor.keep_mlp) == (not plain, not plain)
    result = task.predict(np.zeros((40, 60, 3), dtype=np.uint8), ["cat", "sky"])
    assert result.labels.shape == (40, 60)
