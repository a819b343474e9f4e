"""From a training config to a trainer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from densevl.core.config import build
from densevl.core.errors import ConfigError
from densevl.data.loader import BatchOrder
from densevl.engine.plan import check_count, check_seed, in_updates
from densevl.engine.ranks import Ranks
from densevl.engine.runtime import seed_everything
from densevl.engine.schedules import MultiStep
from densevl.engine.trainer import Trainer
from densevl.engine.updates import Updater

# a resumed run may be longer, save and read otherwise, and keep its teachers' answers elsewhere
FREE = (
    *("plan.iterations", "plan.epochs", "plan.save_every", "plan.patience", "plan.validate_every", "data.workers"),
    *("train.teachers.cache", "train.teachers.cache_bytes"),
)


def make_trainer(
    config: Mapping[str, Any], *, data: Path, out: Path, device: torch.device, dtype: torch.dtype, ranks: Ranks
) -> Trainer:
    """Build `config.data` (a TrainingSet), `config.plan`, and `config.train` (a TrainStep over `config.parts`).

    Args:
        config: see configs/segmentation/clip_dinoiser/train_clip_dinoiser_b16.py. A plan may speak of epochs, see
            `engine.plan.in_updates`. `config.validation`, where there is one, is called for the figures.
        data: folder that the set is read from.
        out: folder of the run.
        device: where to train.
        dtype: precision of the forward pass.
        ranks: the processes of the run.

    Raises:
        ConfigError: a section is missing. UsageError: a number is out of its range. SourceError: no pictures.
    """
    absent = [name for name in ("train", "plan", "data") if name not in config]
    if absent:
        raise ConfigError(f"a training config has train, plan and data; missing here: {', '.join(absent)}")
    seed = config["plan"].get("seed", 0)
    check_seed(seed)
    source = dict(config["data"])
    batch_size, workers = source.pop("batch_size", None), source.pop("workers", 0)
    check_count("data.batch_size", batch_size)
    check_count("data.workers", workers, least=0)
    items = build({**source, "folder": data, "seed": seed})
    order = BatchOrder(len(items), batch_size, seed, rank=ranks.rank, ranks=ranks.count)
    plan = build(in_updates(config["plan"], order.per_epoch))
    order = replace(order, parts=plan.accumulate)
    seed_everything(plan.seed)  # before the parts: what is trained may begin with random weights
    parts: dict[str, Any] = {"training_set": items}
    for name, node in config.get("parts", {}).items():
        parts[name] = build(node, parts)
    step = build(config["train"], parts).to(device)
    parts["step"] = step
    validate = build(config["validation"], parts) if "validation" in config else None
    seed_everything((plan.seed + ranks.rank) % 2**32)  # dropout differs from process to process
    settings = {**_flat(config), "data": items.identity(), "precision": str(dtype).removeprefix("torch.")}
    settings["epoch"] = f"{order.per_epoch} updates"  # so many processes may leave out another rest
    if not isinstance(plan.schedule, MultiStep):  # its rates depend on where the run ends
        settings["run"] = f"{plan.iterations} updates"
    return Trainer(
        Updater(step, plan, dtype=dtype, ranks=ranks),
        lambda start: items.batches(replace(order, start=start), workers=workers),
        out=out,
        settings={name: value for name, value in settings.items() if name not in FREE},
        per_epoch=order.per_epoch,
        validate=validate,
    )


def _flat(node: Any, place: str = "") -> dict[str, str]:
    """Nested config -> {"plan.seed": "0", ...}."""
    if isinstance(node, Mapping):
        return {key: text for name, inner in node.items() for key, text in _flat(inner, f"{place}{name}.").items()}
    return {place[:-1]: repr(node)}
