"""Refiners behind the head: which is which, and what happens when one runs out of memory."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from densevl.core.errors import ConfigError, MemoryLimitError
from densevl.core.structures import ScoreMap, Segmentation, TextBank
from densevl.refiners import FoundRule, PAMRRefiner, SAMMaskRefiner, SmallClassRefiner
from densevl.tasks.refining import refine_labels, refine_scores, split_refiners
from tests.tiny import tiny_sam

PICTURE = np.zeros((4, 6, 3), np.uint8)
SCORES = ScoreMap(torch.zeros(1, 2, 2, 3), (4, 6), (4, 6))
BANK = TextBank(torch.eye(2), torch.arange(2), ("cat", "dog"))
LABELS = Segmentation(
    np.zeros((4, 6), np.uint8), np.ones((4, 6), np.float32), np.zeros((1, 1), np.float32), ("cat", "dog")
)


class Step:
    """A refiner of scores or labels that notes its number, or fails."""

    def __init__(self, number: int, seen: list[int], error: Exception | None = None) -> None:
        self.number, self.seen, self.error = number, seen, error

    def __call__(self, scores: Any, **_: Any) -> Any:
        if self.error is not None:
            raise self.error
        self.seen.append(self.number)
        return scores

    relabel = __call__


def test_refiners_are_told_apart_and_keep_their_order() -> None:
    sam, pamr, small, found = SAMMaskRefiner(tiny_sam()), PAMRRefiner(), SmallClassRefiner(), FoundRule()
    assert split_refiners([sam, small, found, pamr]) == ((found,), (small, pamr), (sam,))
    assert split_refiners([]) == ((), (), ())
    with pytest.raises(ConfigError, match="must be refiners"):
        split_refiners([{"type": "densevl.refiners.PAMRRefiner"}])  # type: ignore[list-item]


def test_they_run_one_after_the_other() -> None:
    seen: list[int] = []
    steps = [Step(number, seen) for number in range(3)]
    assert refine_scores(SCORES, steps, picture=PICTURE, bank=BANK) is SCORES
    assert refine_labels(LABELS, steps[::-1], score_map=SCORES, picture=PICTURE) is LABELS
    assert seen == [0, 1, 2, 2, 1, 0]


def test_one_that_runs_out_of_memory_says_so_and_what_to_do() -> None:
    greedy = [Step(0, [], torch.OutOfMemoryError("out of memory"))]
    message = "while Step refined a picture of 6x4: go on with --refine none"
    with pytest.raises(MemoryLimitError, match=message):
        refine_scores(SCORES, greedy, picture=PICTURE, bank=BANK)
    with pytest.raises(MemoryLimitError, match=message):
        refine_labels(LABELS, greedy, score_map=SCORES, picture=PICTURE)


def test_other_errors_are_not_taken_for_memory() -> None:
    broken = [Step(0, [], RuntimeError("shapes do not match"))]
    with pytest.raises(RuntimeError, match="shapes"):
        refine_scores(SCORES, broken, picture=PICTURE, bank=BANK)
