"""How the learning rate changes during a run: pure functions from the number of an update to a factor."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from densevl.core.errors import UsageError


def warmup_cosine(
    step: int,
    *,
    total_steps: int,
    warmup_steps: int = 0,
    floor: float = 0.0,
    from_start: bool = False,
    lag: int = 0,
) -> float:
    """Factor of the learning rate of one update: a straight rise from 0, then half a cosine down to the floor.

    Args:
        step: number of the update, from 0.
        total_steps: updates of the whole run; behind them the factor stays at the floor.
        warmup_steps: updates of the rise.
        floor: factor at the end, in [0, 1].
        from_start: the cosine is that of a run without warm-up, so it is below 1 when the rise ends (timm's scheduler,
            as ViFi-CLIP and ILA use it); else it begins at 1 after the rise (M2-CLIP).
        lag: updates by which the rate comes late; 1 is that of a scheduler set after its update and never before the
            first, whose first two updates have the factor 0.

    Returns:
        The factor, in [0, 1].

    Raises:
        UsageError: a number is out of its range.

    Source: Loshchilov and Hutter, SGDR, ICLR 2017, equation 5, without restarts.
    """
    if min(step, warmup_steps, lag) < 0 or total_steps < 1 or warmup_steps > total_steps or not 0 <= floor <= 1:
        raise UsageError(
            "expected step, warmup_steps and lag of at least 0, warmup_steps within total_steps and a floor in [0, 1], "
            f"got step {step}, warmup_steps {warmup_steps}, lag {lag}, total_steps {total_steps}, floor {floor}"
        )
    step = max(0, step - lag)
    if step < warmup_steps:
        return step / warmup_steps
    if step >= total_steps:
        return floor
    before = 0 if from_start else warmup_steps
    phase = (step - before) / (total_steps - before)
    return floor + (1 - floor) * 0.5 * (1 + math.cos(math.pi * phase))


@dataclass(frozen=True)
class MultiStep:
    """Factor of the learning rate: multiplied by gamma at each milestone, however long the run is.

    Attributes:
        milestones: numbers of the updates that are the first with a lower rate.
        gamma: the factor of each.
    """

    milestones: Sequence[int] = ()
    gamma: float = 0.1

    def __call__(self, step: int, total_steps: int) -> float:
        """The factor of update `step`, from 0."""
        return self.gamma ** sum(step >= milestone for milestone in self.milestones)


@dataclass(frozen=True)
class WarmupCosine:
    """Factor of the learning rate: `warmup_cosine` over the whole run; its attributes are explained there.

    A run that is shorter than the rise ends within it.
    """

    warmup_steps: int = 0
    floor: float = 0.0
    from_start: bool = False
    lag: int = 0

    def __call__(self, step: int, total_steps: int) -> float:
        """The factor of update `step`, from 0."""
        return warmup_cosine(
            step,
            total_steps=total_steps,
            warmup_steps=min(self.warmup_steps, total_steps),
            floor=self.floor,
            from_start=self.from_start,
            lag=self.lag,
        )
