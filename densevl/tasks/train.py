"""From a training config to a trainer, and from a finished run to the files that are handed on."""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save as to_safetensors

from densevl.core.config import build
from densevl.core.errors import ConfigError, UsageError
from densevl.core.files import sha256_bytes, write_atomic
from densevl.data.loader import TrainingCrops
from densevl.engine.runtime import seed_everything
from densevl.engine.trainer import Trainer

FREE = ("plan.iterations", "plan.save_every", "data.workers")  # a resumed run may be longer, and read otherwise


def make_trainer(
    config: Mapping[str, Any], *, data: Path, out: Path, device: torch.device, dtype: torch.dtype
) -> Trainer:
    """Build `config.train` (a TrainStep over `config.parts`), `config.plan` and `config.data`.

    Args:
        config: see configs/segmentation/clip_dinoiser/train_clip_dinoiser_b16.py.
        data: folder of pictures.
        out: folder of the run.
        device: where to train.
        dtype: precision of the forward pass.

    Raises:
        ConfigError: a section is missing. UsageError: a number is out of its range. SourceError: no pictures.
    """
    absent = [name for name in ("train", "plan", "data") if name not in config]
    if absent:
        raise ConfigError(f"a training config has train, plan and data; missing here: {', '.join(absent)}")
    plan = build(config["plan"])
    seed_everything(plan.seed)  # before the parts: what is trained may begin with random weights
    parts: dict[str, Any] = {}
    for name, node in config.get("parts", {}).items():
        parts[name] = build(node, parts)
    step = build(config["train"], parts).to(device)
    options = dict(config["data"])
    batch_size, workers = options.pop("batch_size", None), options.pop("workers", 0)
    subset = options.pop("subset", None)
    _check_count("batch_size", batch_size, least=1)
    _check_count("workers", workers, least=0)
    if subset is not None:
        _check_count("subset", subset, least=1)
    rule = build({"type": "densevl.data.loader.CropRule", **options})
    crops = TrainingCrops(data, rule, subset=subset, seed=plan.seed)
    crops.check_batch(batch_size)
    listed = "\n".join(os.path.relpath(path, data) for path in crops.paths)
    pictures = f"{len(crops)} ({sha256_bytes(os.fsencode(listed))[:12]})"  # a subset keeps its size in a larger folder
    settings = {**_flat(config), "pictures": pictures, "precision": str(dtype).removeprefix("torch.")}
    return Trainer(
        step,
        lambda start: crops.batches(start, batch_size=batch_size, workers=workers),
        plan=plan,
        out=out,
        settings={name: value for name, value in settings.items() if name not in FREE},
        dtype=dtype,
    )


def write_release(trainer: Trainer, epoch: int) -> Path:
    """Write `last.pt` in the published layout and its tensors as `last.safetensors`; returns the first.

    Raises:
        OutputError: the folder cannot be written.
    """
    content = trainer.step.release(epoch)
    stream = io.BytesIO()
    torch.save(dict(content), stream)
    write_atomic(trainer.out / "last.pt", stream.getvalue())
    tensors = {name: tensor.contiguous() for name, tensor in content["model_state_dict"].items()}
    write_atomic(trainer.out / "last.safetensors", to_safetensors(tensors))
    return trainer.out / "last.pt"


def _check_count(name: str, value: Any, *, least: int) -> None:
    if not isinstance(value, int) or value < least:
        raise UsageError(f"data.{name} must be a whole number of at least {least}, got {value!r}")


def _flat(node: Any, place: str = "") -> dict[str, str]:
    """Nested config -> {"plan.seed": "0", ...}."""
    if isinstance(node, Mapping):
        return {key: text for name, inner in node.items() for key, text in _flat(inner, f"{place}{name}.").items()}
    return {place[:-1]: repr(node)}
