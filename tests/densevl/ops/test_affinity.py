from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.ops.affinity import affinity_pool


def plain(values: torch.Tensor, guide: torch.Tensor, threshold: float | None, power: float) -> torch.Tensor:
    """The definition, a patch at a time."""
    pooled = torch.zeros_like(values)
    for b in range(values.shape[0]):
        for p in range(values.shape[2]):
            total = torch.zeros((), dtype=values.dtype)
            for q in range(values.shape[2]):
                cosine = torch.cosine_similarity(guide[b, :, p], guide[b, :, q], dim=0)
                weight = torch.zeros(()) if threshold is not None and cosine < threshold else cosine**power
                pooled[b, :, p] += weight * values[b, :, q]
                total = total + weight
            pooled[b, :, p] /= total + 1e-6
    return pooled


@pytest.fixture
def maps() -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(2, 5, 12, generator=generator), torch.randn(2, 7, 12, generator=generator)


@pytest.mark.parametrize(("threshold", "power"), [(0.2, 1), (0.0, 4), (0.0, 1.5), (None, 2)])
def test_it_is_the_weighted_mean_of_the_definition(maps: tuple, threshold: float | None, power: float) -> None:
    pooled = affinity_pool(*maps, threshold=threshold, power=power)
    torch.testing.assert_close(pooled, plain(*maps, threshold, power), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("block", [1, 5, 12])
def test_blocks_change_nothing(maps: tuple, block: int) -> None:
    whole = affinity_pool(*maps, threshold=0.0, power=4)
    torch.testing.assert_close(affinity_pool(*maps, threshold=0.0, power=4, block=block), whole)


def test_a_batch_is_a_loop_of_singles(maps: tuple) -> None:
    values, guide = maps
    singles = [affinity_pool(values[b : b + 1], guide[b : b + 1], threshold=0.1) for b in range(2)]
    torch.testing.assert_close(affinity_pool(values, guide, threshold=0.1), torch.cat(singles))


def test_pooling_features_is_pooling_scores(maps: tuple) -> None:
    values, guide = maps
    words = torch.randn(3, 5, generator=torch.Generator().manual_seed(1))
    scores = affinity_pool(words @ values, guide, threshold=0.0, power=4)
    torch.testing.assert_close(
        words @ affinity_pool(values, guide, threshold=0.0, power=4), scores, atol=1e-5, rtol=1e-4
    )


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_the_kind_of_the_values_is_kept(maps: tuple, dtype: torch.dtype) -> None:
    assert affinity_pool(maps[0].to(dtype), maps[1], threshold=0.0).dtype == dtype


def test_it_runs_on_the_meta_device(maps: tuple) -> None:
    values, guide = (tensor.to("meta") for tensor in maps)
    assert affinity_pool(values, guide, threshold=0.0, power=4, block=5).shape == (2, 5, 12)


@pytest.mark.parametrize("shape", [(2, 7, 11), (1, 7, 12), (7, 12)])
def test_a_guide_of_another_shape_is_refused(maps: tuple, shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match="guide"):
        affinity_pool(maps[0], torch.zeros(shape))
