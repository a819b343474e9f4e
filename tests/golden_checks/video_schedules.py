"""Learning rates of both recipes, update by update."""

from __future__ import annotations

import json
from functools import partial
from typing import Any

import numpy as np

from densevl.engine.schedules import warmup_cosine
from tests.golden_checks import checks
from tests.golden_reader import GoldenFile

RTOL, ATOL = 1e-9, 1e-15  # rates are about 1e-6: an absolute tolerance of the size of a rate would compare nothing


def close(found: list[float], expected: list[float], case: str) -> None:
    np.testing.assert_allclose(found, expected, rtol=RTOL, atol=ATOL, err_msg=case)


def check_factors(case: str, recipe: dict[str, Any], steps: dict[str, int]) -> None:
    close([warmup_cosine(step, **steps) for step in range(steps["total_steps"])], recipe.pop("factor"), case)


def check_rates(case: str, recipe: dict[str, Any], steps: dict[str, int]) -> None:
    rate = recipe.pop("lr")
    factor = partial(warmup_cosine, **steps, floor=recipe.pop("lr_min") / rate, from_start=True, lag=1)
    total = steps["total_steps"]
    close([rate * factor(step) for step in range(total)], recipe.pop("lr_used_at_iter"), case)
    close([rate * factor(total)], [recipe.pop("lr_after_last")], case)


@checks("video/schedules")
def check_schedules(file: GoldenFile) -> None:
    table = json.loads(str(file["table"]))
    assert table
    for case, recipe in table.items():
        epochs, length, warmup = (recipe.pop(name) for name in ("epochs", "iters", "warmup"))
        steps = {"total_steps": epochs * length, "warmup_steps": warmup * length}
        (check_factors if "factor" in recipe else check_rates)(case, recipe, steps)
        assert not recipe, f"{case}: nothing compares {sorted(recipe)}"
