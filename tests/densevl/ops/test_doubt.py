from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.ops.doubt import doubt


def test_doubt_is_one_minus_the_gap_of_the_two_best() -> None:
    probabilities = torch.tensor([[0.7, 0.1, 0.2], [0.4, 0.4, 0.2], [1.0, 0.0, 0.0]])
    torch.testing.assert_close(doubt(probabilities), torch.tensor([0.5, 1.0, 0.0]))


def test_similarities_become_probabilities_at_the_logit_scale() -> None:
    similarities = torch.randn(2, 3, 4, generator=torch.Generator().manual_seed(0))
    expected = doubt((similarities * 40).softmax(-1))
    torch.testing.assert_close(doubt(similarities, logit_scale=40), expected)
    assert expected.shape == (2, 3)


def test_one_class_has_no_rival_and_leaves_no_doubt() -> None:
    assert doubt(torch.full((2, 5, 1), 0.3), logit_scale=100).tolist() == torch.zeros(2, 5).tolist()


def test_a_batch_is_the_loop_of_its_items_and_keeps_the_dtype() -> None:
    scores = torch.rand(3, 6, 5, dtype=torch.float64)
    found = doubt(scores, logit_scale=10)
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, torch.stack([doubt(item, logit_scale=10) for item in scores]))


def test_no_class_at_all_is_an_error() -> None:
    with pytest.raises(ShapeError, match="at least one class"):
        doubt(torch.zeros(4, 0))
