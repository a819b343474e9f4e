from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ShapeError, UsageError
from densevl.core.stages import Head
from densevl.core.structures import TextBank
from densevl.heads import CosineHead
from densevl.ops.probability import best_query


def make_bank(class_index: list[int], width: int = 6, seed: int = 0) -> TextBank:
    vectors = torch.randn(len(class_index), width, generator=torch.Generator().manual_seed(seed))
    names = tuple(f"class {k}" for k in range(max(class_index) + 1))
    return TextBank(F.normalize(vectors, dim=-1), torch.tensor(class_index), names)


def test_scores_are_cosines_at_the_scale_and_a_class_is_its_best_synonym() -> None:
    bank = make_bank([1, 0, 2, 1, 1])
    features = torch.randn(2, 3, 4, 6)
    scores = CosineHead(40.0, softmax=False)(features, bank)
    assert scores.shape == (2, 3, 4, 3)
    cosines = F.cosine_similarity(features[..., None, :], bank.vectors, dim=-1)  # [2, 3, 4, Q]
    for k, rows in enumerate(([1], [0, 3, 4], [2])):
        assert_close(scores[..., k], 40 * cosines[..., rows].amax(-1), atol=1e-4, rtol=0)


def test_softmax_comes_after_the_synonyms() -> None:
    bank, features = make_bank([0, 1, 1, 2]), torch.randn(5, 6)
    logits, probabilities = CosineHead(softmax=False)(features, bank), CosineHead()(features, bank)
    assert_close(probabilities, logits.softmax(-1))
    assert_close(probabilities.sum(-1), torch.ones(5))


def test_one_row_a_class_in_any_order() -> None:
    ordered, features = make_bank([0, 1, 2, 3]), torch.randn(7, 6)
    order = torch.tensor([2, 0, 3, 1])
    shuffled = TextBank(ordered.vectors[order], order, ordered.class_names)
    assert_close(CosineHead()(features, shuffled), CosineHead()(features, ordered))


def test_without_normalising_the_dot_product_is_taken() -> None:
    bank, features = make_bank([0, 1]), torch.randn(3, 6)
    assert_close(CosineHead(2.0, softmax=False, normalise=False)(features, bank), 2 * features @ bank.vectors.T)
    doubled = CosineHead(softmax=False)(features * 2, bank)
    assert_close(doubled, CosineHead(softmax=False)(features, bank), atol=1e-4, rtol=0)


def test_any_leading_axes_and_a_batch_is_its_singles() -> None:
    head, bank, features = CosineHead(), make_bank([0, 1, 1]), torch.randn(4, 2, 6)
    assert isinstance(head, Head)
    assert_close(head(features, bank), torch.stack([head(one, bank) for one in features]))
    assert_close(head(features[0, 0], bank), head(features, bank)[0, 0])


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_dtype_of_the_features_is_kept(dtype: torch.dtype) -> None:
    assert CosineHead()(torch.randn(3, 6).to(dtype), make_bank([0, 1, 1])).dtype == dtype


def test_gradients_reach_the_features_through_the_best_synonym() -> None:
    features = torch.randn(3, 6, requires_grad=True)
    CosineHead()(features, make_bank([0, 1, 1]))[:, 0].sum().backward()
    assert features.grad is not None
    assert features.grad.abs().sum() > 0


def test_another_width_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\[\.\.\., 6\], got \(3, 5\)"):
        CosineHead()(torch.randn(3, 5), make_bank([0, 1]))


def test_forward_runs_on_the_meta_device() -> None:
    bank = make_bank([0, 1, 1]).to("meta")
    assert CosineHead()(torch.randn(2, 6, device="meta"), bank).shape == (2, 2)


def test_over_queries_every_query_keeps_its_own_logit() -> None:
    bank, features = make_bank([1, 0, 2, 1, 1]), torch.randn(2, 3, 6)
    every = TextBank(bank.vectors, torch.arange(5), tuple("abcde"))
    queries = CosineHead()(features, every)  # [2, 3, Q]
    found = CosineHead(softmax=False, over_queries=True)(features, bank)
    assert_close(found.softmax(dim=-1), queries)
    assert_close(best_query(found, bank.class_index, 3), CosineHead(softmax=False)(features, bank))


def test_scores_of_queries_are_no_probabilities() -> None:
    with pytest.raises(UsageError, match="needs softmax=False"):
        CosineHead(over_queries=True)
