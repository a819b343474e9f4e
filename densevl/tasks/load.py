"""densevl.load: a name or config -> a task, ready on its device."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from densevl.core.config import (
    ALIASES,
    build_model,
    dataset_configs,
    find_config,
    model_configs,
    override,
    read_config,
    unknown_model,
)
from densevl.core.errors import WeightsError
from densevl.engine.runtime import pick_device, pick_precision
from densevl.weights import find

logger = logging.getLogger(__name__)

# best first; `lite` is last because it needs nothing but the packages that carry it
PREFERENCE = (
    "clip-dinoiser-b16",
    "maskclip-b16",
    "maskclip-plain-b16",
    "maskclip-b32",
    "maskclip-l14",
    "maskclip-l14-336",
    "maskclip-h14",
    "maskclip-lite",
)


def missing_weights(name_or_config: str | Path) -> list[str]:
    """Weights that a model needs and this machine does not have."""
    return [name for name in read_config(name_or_config).get("weights", []) if find(name) is None]


def choose_model(preference: Sequence[str] = PREFERENCE) -> tuple[str, str]:
    """The best model whose weights are here, and why, in one line. Downloads nothing.

    Args:
        preference: names, the best first; those that label pictures unless told otherwise.

    Raises:
        WeightsError: no model can run; says how to get the embedded one.
    """
    passed_over: list[str] = []
    for name in preference:
        missing = missing_weights(name)
        if not missing:
            reason = f"; {passed_over[0]}" if passed_over else ""
            return name, f"model {name}: the best one whose weights are here{reason}"
        passed_over.append(f"{name} would need {', '.join(missing)}")
    raise WeightsError(f"no model can run: {'; '.join(passed_over)}. The embedded one: pip install 'densevl[lite]'")


def require_field(name_or_config: str | Path, field: str) -> None:
    """See that a model is for a field such as `segmentation`, before it is loaded; an own config is taken at its word.

    Raises:
        UnknownNameError: it is not; names those that are.
    """
    name = ALIASES.get(str(name_or_config), str(name_or_config))
    if Path(name).suffix != ".py" and name not in model_configs(field) | dataset_configs(field):
        raise unknown_model(str(name_or_config), field, kind=f"{field} model")


def load(
    name_or_config: str | Path = "auto", device: str = "auto", *, precision: str = "auto", **overrides: Any
) -> Any:
    """Load a model by name (`lite`, `maskclip-b16`, `auto`) or config file.

    Args:
        name_or_config: a model name, `auto` (the best model whose weights are here), or a path to a .py config.
        device: `auto`, `cpu`, `cuda`, `cuda:1`, `mps`.
        precision: `auto` (fp32), `fp32`, `fp16`, `bf16`.
        **overrides: dotted config keys, e.g. `**{"model.head.logit_scale": 40.0}`.

    Returns:
        The task that the config names, in eval mode: a Segmenter, unless the model is for something else.

    Raises:
        UnknownNameError: no such model. WeightsError: its weights are missing or do not fit.
    """
    if str(name_or_config) == "auto":
        name_or_config, reason = choose_model()
        logger.info(reason)
    target = pick_device(device)
    path = find_config(name_or_config)
    config = override(read_config(path), overrides)
    task = build_model(config).to(target)
    task.name, task.config_text = path.stem.replace("_", "-"), config.pretty_text
    task.limits = config.get("limits", "")
    task.dtype = pick_precision(precision, target)
    return task
