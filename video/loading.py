"""video.load: a name or config -> a VideoClassifier, ready on its device."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from densevl.tasks.load import choose_model, require_field
from densevl.tasks.load import load as load_task
from video.classifier import VideoClassifier

PREFERENCE = ("vifi-clip-b16", "vifi-clip-lite")  # best first


def load(
    name_or_config: str | Path = "auto", device: str = "auto", *, precision: str = "auto", **overrides: Any
) -> VideoClassifier:
    """Load a video model; see `densevl.load`.

    Args:
        name_or_config: a model name such as `vifi-clip-lite`, `auto` (the best one whose weights are here), or a .py
            config.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `auto` (fp32), `fp32`, `fp16`, `bf16`.
        **overrides: dotted config keys, e.g. `**{"model.views.num_frames": 16}`.

    Raises:
        UnknownNameError: no such model, or one that is not for videos. WeightsError: its weights are missing.
    """
    if str(name_or_config) == "auto":
        name_or_config, _ = choose_model(PREFERENCE)
    require_field(name_or_config, "video")
    return load_task(name_or_config, device, precision=precision, **overrides)
