"""The factor of the learning rate, update by update."""

from __future__ import annotations

import pytest

from densevl.core.errors import UsageError
from densevl.engine.schedules import MultiStep, WarmupCosine, warmup_cosine


def factors(total_steps: int, **options: object) -> list[float]:
    return [warmup_cosine(step, total_steps=total_steps, **options) for step in range(total_steps + 2)]


def test_without_warm_up_half_a_cosine_falls_from_one_to_the_floor_and_stays() -> None:
    assert factors(4, floor=0.2) == pytest.approx([1, 0.4 * 2**0.5 / 2 + 0.6, 0.6, 0.6 - 0.4 * 2**0.5 / 2, 0.2, 0.2])


def test_after_a_straight_rise_the_cosine_begins_at_one() -> None:
    assert factors(4, warmup_steps=2) == pytest.approx([0, 0.5, 1, 0.5, 0, 0])


def test_a_cosine_from_the_start_has_fallen_when_the_rise_ends() -> None:
    assert factors(4, warmup_steps=2, from_start=True)[:3] == pytest.approx([0, 0.5, 0.5])
    assert factors(4, warmup_steps=2, from_start=True)[3:] == pytest.approx(factors(4)[3:])


def test_a_lag_repeats_the_first_factor_and_moves_the_others() -> None:
    prompt = factors(6, warmup_steps=3)
    assert factors(6, warmup_steps=3, lag=1) == [prompt[0], *prompt[:-1]]


def test_a_run_of_warm_up_alone_only_rises() -> None:
    assert factors(2, warmup_steps=2) == [0, 0.5, 0, 0]


@pytest.mark.parametrize(
    "wrong", [{"step": -1}, {"warmup_steps": 5}, {"warmup_steps": -1}, {"total_steps": 0}, {"floor": 1.5}, {"lag": -1}]
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match="expected step"):
        warmup_cosine(**{"step": 0, "total_steps": 4, **wrong})


def test_multistep_lowers_the_rate_at_each_milestone() -> None:
    assert [MultiStep([2, 4], 0.5)(step, 6) for step in range(6)] == [1, 1, 0.5, 0.5, 0.25, 0.25]
    assert MultiStep()(10_000, 10_000) == 1


def test_the_schedule_of_a_run_is_that_of_its_length() -> None:
    options = {"warmup_steps": 2, "floor": 0.1, "from_start": True, "lag": 1}
    schedule = WarmupCosine(**options)
    for total in (5, 9):
        assert [schedule(step, total) for step in range(total + 2)] == factors(total, **options)
    assert [WarmupCosine(warmup_steps=4)(step, 2) for step in range(2)] == [0, 0.5]
