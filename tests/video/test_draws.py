"""Integers from both generators."""

from __future__ import annotations

import random

import numpy as np
import pytest

from video.draws import draw_below


def test_numpy_draws_are_those_of_one_call_with_a_size() -> None:
    found = draw_below(np.random.RandomState(3), np.full(9, 31))
    np.testing.assert_array_equal(found, np.random.RandomState(3).randint(31, size=9))


def test_python_draws_are_those_of_randint() -> None:
    rng, other = random.Random(3), random.Random(3)
    assert draw_below(rng, np.array([4, 9, 1])).tolist() == [
        other.randint(0, 3),
        other.randint(0, 8),
        other.randint(0, 0),
    ]


@pytest.mark.parametrize("rng", [random.Random(0), np.random.RandomState(0)])
def test_every_integer_below_its_bound_comes_and_no_other(rng: random.Random | np.random.RandomState) -> None:
    found = np.stack([draw_below(rng, np.array([1, 2, 5])) for _ in range(200)])
    assert found.dtype == np.int64
    assert [sorted(set(column.tolist())) for column in found.T] == [[0], [0, 1], [0, 1, 2, 3, 4]]
