"""Losses: values, shapes, a batch as its singles."""

from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.losses import soft_target_cross_entropy


def scores(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def test_soft_targets_of_one_class_give_the_plain_cross_entropy() -> None:
    logits, labels = scores(4, 6), torch.tensor([0, 5, 2, 2])
    found = soft_target_cross_entropy(logits, torch.eye(6)[labels])
    torch.testing.assert_close(found, torch.nn.functional.cross_entropy(logits, labels))


def test_even_scores_cost_the_logarithm_of_the_classes_whatever_the_targets() -> None:
    targets = scores(3, 8).softmax(dim=1)
    torch.testing.assert_close(soft_target_cross_entropy(torch.zeros(3, 8), targets), torch.tensor(8.0).log())


def test_the_soft_target_loss_of_a_batch_is_the_mean_of_its_singles_and_keeps_the_dtype() -> None:
    logits, targets = scores(5, 7).double(), scores(5, 7, seed=1).double().softmax(dim=1)
    singles = [soft_target_cross_entropy(logits[i : i + 1], targets[i : i + 1]) for i in range(5)]
    found = soft_target_cross_entropy(logits, targets)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, torch.stack(singles).mean())


@pytest.mark.parametrize(("logits", "targets"), [((4, 6), (4, 5)), ((4, 6), (4,)), ((6,), (6,))])
def test_soft_targets_of_another_shape_are_refused(logits: tuple[int, ...], targets: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"logits and targets \[B, K\]"):
        soft_target_cross_entropy(torch.zeros(logits), torch.zeros(targets))
