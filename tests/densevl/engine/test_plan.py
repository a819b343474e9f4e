"""What a run is told."""

from __future__ import annotations

from typing import Any

import pytest

from densevl.core.errors import UsageError
from densevl.engine.plan import TrainPlan, in_updates


@pytest.mark.parametrize(
    "wrong",
    [
        *({name: 0} for name in ("iterations", "accumulate", "save_every", "validate_every", "patience")),
        *({"seed": seed} for seed in (-1, 2**32)),
        *({"ema": decay} for decay in (-0.1, 1.0)),
        *({name: 1.5} for name in ("iterations", "accumulate", "save_every", "seed")),
        *({name: "abc"} for name in ("iterations", "clip_norm", "weight_decay")),
        *({"clip_norm": norm} for norm in (0, -1.0, float("nan"))),
        {"weight_decay": -0.1},
        {"iterations": None},
        {"patience": 3},
    ],
)
def test_a_plan_out_of_range_is_refused_by_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        TrainPlan(**{"iterations": 3, **wrong})


def test_epochs_become_updates_unless_updates_are_given() -> None:
    plan = {"epochs": 30, "schedule": {"type": "x", "warmup_epochs": 2.5, "floor": 0.01}, "seed": 1}
    expected = {"iterations": 210, "schedule": {"type": "x", "warmup_steps": 18, "floor": 0.01}, "seed": 1}
    assert in_updates(plan, 7) == expected
    assert in_updates({**plan, "iterations": 10}, 7) == {**expected, "iterations": 10}
