"""Random integers from either of the two generators that the papers' code uses, always handed in, never global."""

from __future__ import annotations

import random

import numpy as np

Draws = random.Random | np.random.RandomState


def draw_below(rng: Draws, bounds: np.ndarray) -> np.ndarray:
    """One integer in [0, bound) for every bound.

    Args:
        rng: a seeded generator; it moves on by one draw a bound.
        bounds: [n] int, each at least 1.

    Returns:
        [n] int64.
    """
    if isinstance(rng, random.Random):
        return np.array([rng.randrange(int(bound)) for bound in bounds], dtype=np.int64)
    return rng.randint(bounds).astype(np.int64)
