"""What a training run is told beside its step and its data."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from densevl.core.errors import UsageError
from densevl.engine.schedules import MultiStep


@dataclass(frozen=True)
class TrainPlan:
    """How long and how.

    Attributes:
        iterations: updates of the weights.
        schedule: (number of an update, iterations) -> factor on every group's learning rate.
        accumulate: parts that a process reads its share of a batch in, one backward pass each, to save memory.
        clip_norm: largest norm of all gradients together; None: not clipped.
        save_every: updates from one checkpoint to the next.
        weight_decay: of AdamW, for groups that name none.
        ema: decay of the running mean of the weights, which is then what is judged and released; None: no mean.
        validate_every: updates from one validation to the next; None: none. The last update is always judged.
        patience: validations without a better score after which a run ends early; None: never.
        seed: of everything that is drawn.
    """

    iterations: int
    schedule: Callable[[int, int], float] = field(default_factory=MultiStep)
    accumulate: int = 1
    clip_norm: float | None = None
    save_every: int = 500
    weight_decay: float = 0.01
    ema: float | None = None
    validate_every: int | None = None
    patience: int | None = None
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("iterations", "accumulate", "save_every", "validate_every", "patience"):
            value = getattr(self, name)
            if value is not None or name in ("iterations", "accumulate", "save_every"):
                check_count(f"plan.{name}", value)
        check_seed(self.seed)
        _check_number("plan.clip_norm", self.clip_norm, "above 0", lambda value: value > 0)
        _check_number("plan.weight_decay", self.weight_decay, "at least 0", lambda value: value >= 0)
        _check_number("plan.ema", self.ema, "in [0, 1)", lambda value: 0 <= value < 1)
        if self.patience is not None and self.validate_every is None:
            raise UsageError("patience needs validate_every: a run that is never judged cannot stop early")


def check_count(name: str, value: Any, *, least: int = 1) -> None:
    """Raise UsageError where a value is no whole number of at least `least`."""
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise UsageError(f"{name} must be a whole number of at least {least}, got {value!r}")


def check_seed(seed: Any) -> None:
    """Raise UsageError where a value is no seed of NumPy's and torch's generators."""
    check_count("plan.seed", seed, least=0)
    if seed >= 2**32:
        raise UsageError(f"plan.seed must be below 2**32, got {seed}")


def _check_number(name: str, value: Any, wanted: str, is_right: Callable[[float], bool]) -> None:
    if value is not None and not (isinstance(value, (int, float)) and math.isfinite(value) and is_right(value)):
        raise UsageError(f"{name} must be a number {wanted}, got {value!r}")


def in_updates(node: Any, per_epoch: int) -> Any:
    """A config node with its epochs as updates: `epochs` -> `iterations`, `warmup_epochs` -> `warmup_steps`.

    What is given in updates already stays: `--set plan.iterations=10` shortens a plan of epochs.
    """
    if not isinstance(node, Mapping):
        return node
    found = {key: in_updates(value, per_epoch) for key, value in node.items() if not key.endswith("epochs")}
    for key, value in node.items():
        if key.endswith("epochs"):
            name = "iterations" if key == "epochs" else f"{key.removesuffix('epochs')}steps"
            found.setdefault(name, round(value * per_epoch))
    return found
