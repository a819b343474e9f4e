"""video.load: a name or config -> a VideoClassifier, ready on its device."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from densevl.core.config import import_path, read_config
from densevl.core.errors import ConfigError, UsageError, WeightsError
from densevl.tasks.load import choose_model, require_field
from densevl.tasks.load import load as load_task
from densevl.weights import locate_file, read_field
from video.classifier import VideoClassifier
from video.views import ClipViews

PREFERENCE = ("vifi-clip-b16", "vifi-clip-lite")  # best first


def load(
    name_or_config: str | Path = "auto",
    device: str = "auto",
    *,
    precision: str = "auto",
    weights: str | Path | None = None,
    **overrides: Any,
) -> VideoClassifier:
    """Load a video model; see `densevl.load`.

    Args:
        name_or_config: a model name such as `vifi-clip-lite`, `auto` (the best one whose weights are here), or a .py
            config.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `auto` (fp32), `fp32`, `fp16`, `bf16`.
        weights: other weights for the model: a name, or a file, such as a training's `best.pt`. A file of ours says
            what its training saw of a clip (size, frames, rule), and that is what is seen again.
        **overrides: dotted config keys, e.g. `**{"model.views.num_frames": 16}`.

    Raises:
        UnknownNameError: no such model, or one that is not for videos. WeightsError: its weights are missing.
        UsageError: `weights` for `auto`, or for a model that takes none.
    """
    if weights is not None and str(name_or_config) == "auto":
        raise UsageError("weights need a model: say which one the file is for, such as vifi-clip-b16")
    if str(name_or_config) == "auto":
        name_or_config, _ = choose_model(PREFERENCE)
    require_field(name_or_config, "video")
    config = read_config(name_or_config)
    if config.get("model", {}).get("type") not in ("video.VideoClassifier", "video.classifier.VideoClassifier"):
        raise ConfigError(f"{name_or_config} is no video model: its config's model.type is not video.VideoClassifier")
    if weights is not None:
        overrides = {**_of_weights(config, weights), **overrides}
    return load_task(name_or_config, device, precision=precision, **overrides)


def _of_weights(config: Mapping[str, Any], weights: str | Path) -> dict[str, Any]:
    """Config keys that a file of weights decides."""
    kind = config["model"]["recogniser"]["type"]
    if "weights" not in inspect.signature(import_path(kind)).parameters:
        raise UsageError(f"the model takes no other weights: {kind} has no argument of that name")
    path = locate_file(weights)
    seen = (read_field(path, "views") if path.is_file() else None) or {}
    if not isinstance(seen, dict) or not seen.keys() <= {field.name for field in fields(ClipViews)}:
        raise WeightsError(f"{path}: what it says of the views in its training is unknown here: {seen}")
    return {"model.recogniser.weights": str(path), **{f"model.views.{key}": value for key, value in seen.items()}}
