from __future__ import annotations

import numpy as np
import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.core.structures import ScoreMap
from densevl.ops import merge_windows
from densevl.ops.doubt import doubt, doubt_map


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


def test_a_pictures_doubt_is_between_classes_not_between_the_words_of_one() -> None:
    logits = torch.zeros(1, 3, 2, 2)
    logits[:, :2] = 9.0  # two words of one class, equally sure
    together = ScoreMap(logits, (8, 8), (8, 8), logits=True, class_index=torch.tensor([0, 0, 1]))
    apart = ScoreMap(logits, (8, 8), (8, 8), logits=True)
    assert doubt_map(apart).min() > 0.999
    softmax = torch.tensor([9.0, 9.0, 0.0]).softmax(dim=0)
    np.testing.assert_allclose(doubt_map(together), 1 - float(softmax[0] - softmax[2]), atol=1e-6)


def test_a_pictures_doubt_has_the_size_the_model_saw_and_is_averaged_over_windows() -> None:
    scores = torch.rand(2, 3, 2, 2, generator=torch.Generator().manual_seed(0)).softmax(dim=1)
    boxes = torch.tensor([[0, 0, 4, 4], [2, 0, 6, 4]])
    score_map = ScoreMap(scores, (4, 6), (4, 4), boxes)
    found = doubt_map(score_map)
    patches = doubt(scores.movedim(1, -1))[:, None]
    expected = merge_windows(ScoreMap(patches, (4, 6), (4, 4), boxes))[0]
    np.testing.assert_allclose(found, expected.numpy(), atol=1e-6)
