from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ShapeError
from densevl.ops.guidance import aggregate_canvas, guided_pool, guided_weights, similarity_thresholds

HEADS, PLACES, DEPTH = 2, 12, 5


def inputs(seed: int = 0) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    attention = torch.rand(HEADS, PLACES, PLACES, generator=generator).softmax(dim=-1)
    keys = torch.randn(HEADS, PLACES, DEPTH, generator=generator)
    return attention, keys, torch.randn(PLACES, 7, generator=generator)


def plain_weights(attention: torch.Tensor, keys: torch.Tensor, factor: float, keep_negative: bool) -> torch.Tensor:
    unit = F.normalize(keys, dim=-1)
    similarity = unit @ unit.transpose(1, 2)
    rows = []
    for place in range(similarity.shape[1]):
        threshold = factor * similarity[:, place].mean().item()
        if threshold < 0 and not keep_negative:
            threshold = 0.6
        threshold = min(threshold, 0.9)
        kept = attention[:, place] * (similarity[:, place] > threshold)
        rows.append(kept.mean(dim=0) / kept.mean(dim=0).sum())
    return torch.stack(rows)


@pytest.mark.parametrize("factor, keep_negative", [(1.2, True), (1.2, False), (0.0, True), (3.0, False), (50.0, True)])
def test_weights_are_attention_where_places_are_alike(factor: float, keep_negative: bool) -> None:
    attention, keys, values = inputs()
    expected = plain_weights(attention, keys, factor, keep_negative)
    settings = {"factor": factor, "keep_negative": keep_negative}
    for count in (1, 5, PLACES):
        parts = list(guided_weights(attention.split(count, dim=1), keys, **settings))
        assert [len(part) for part in parts] == [len(part) for part in values.split(count)]
        assert_close(torch.cat(parts), expected, atol=1e-6, rtol=0)
        pooled = guided_pool(values, attention.split(count, dim=1), keys, **settings)
        assert_close(pooled, expected @ values, atol=1e-6, rtol=0)


def test_a_place_never_loses_itself() -> None:
    attention, keys, _ = inputs()
    weights = torch.cat(list(guided_weights([attention], keys, factor=1000.0)))
    assert bool((weights.diagonal() > 0).all()) and bool(weights.isfinite().all())


def test_thresholds_are_cut_at_both_ends() -> None:
    keys = F.normalize(torch.tensor([[[1.0, 0.0], [1.0, 0.0], [-1.0, 0.0], [1.0, 0.1]]]), dim=-1)
    assert similarity_thresholds(keys, factor=100.0).tolist() == pytest.approx([0.9, 0.9, -50, 0.9], abs=1)
    assert similarity_thresholds(keys, factor=1.0, keep_negative=False)[2].item() == pytest.approx(0.6)


def test_the_kind_of_the_values_is_kept() -> None:
    attention, keys, values = inputs()
    assert guided_pool(values.double(), [attention], keys).dtype == torch.double
    assert guided_pool(values.bfloat16(), [attention.bfloat16()], keys.bfloat16()).dtype == torch.bfloat16


def test_what_does_not_fit_is_refused() -> None:
    attention, keys, values = inputs()
    with pytest.raises(ShapeError, match=r"expected values \[M, D\] and keys"):
        guided_pool(values[1:], [attention], keys)
    with pytest.raises(ShapeError, match=r"expected attention \[2, 12, 12\]"):
        guided_pool(values, [attention[:, :, 1:]], keys)
    with pytest.raises(ShapeError, match="expected 12 rows of attention, got 6"):
        guided_pool(values, [attention[:, :6]], keys)


def test_a_canvas_is_resized_to_each_views_grid_and_views_lie_side_by_side() -> None:
    attention, keys, _ = inputs()
    other, other_keys, _ = inputs(1)
    canvas = torch.randn(7, 6, 10)
    views = [([attention], keys.unflatten(1, (3, 4))), ([other], other_keys.unflatten(1, (3, 4)))]
    found = aggregate_canvas(canvas, views, count=2)
    assert found.shape == (3, 8, 7)
    for half, view in enumerate(views):
        alone = aggregate_canvas(canvas[:, :, 5 * half : 5 * half + 5], [view])
        assert_close(found[:, 4 * half : 4 * half + 4], alone)
    resized = F.interpolate(canvas[None, :, :, :5], size=(3, 4), mode="bilinear", align_corners=False)[0]
    assert_close(found[:, :4].flatten(0, 1), guided_pool(resized.flatten(1).T, [attention], keys))


def test_a_place_that_nothing_is_like_gathers_nothing_instead_of_no_numbers() -> None:
    keys = torch.eye(3)[None]  # [1, 3, 3]: nobody is like another
    attention = torch.tensor([[[0.0, 0.5, 0.5], [0.2, 0.6, 0.2], [0.1, 0.1, 0.8]]])
    (weights,) = guided_weights([attention], keys)
    assert torch.isfinite(weights).all() and weights[0].sum() == 0 and weights[1, 1] == 1


def test_a_canvas_narrower_than_its_views_shows_each_the_same_column() -> None:
    attention, keys, _ = inputs()
    view, column = ([attention], keys.unflatten(1, (3, 4))), torch.randn(7, 6, 1)
    alone = aggregate_canvas(column, [view])
    assert_close(aggregate_canvas(column, [view, view], count=2), torch.cat([alone, alone], dim=1))
