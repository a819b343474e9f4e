"""Affinity pooling by blocks of rows, against the plain form that holds the whole matrix."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from densevl.bench.scenario import Scenario

if TYPE_CHECKING:
    from torch import Tensor

_WIDTH, _GUIDE_WIDTH = 512, 256  # CLIP's joint space, and where CLIP-DINOiser compares patches
_THRESHOLD = 0.2
_TOLERANCE = 1e-4

Maps = tuple["Tensor", "Tensor"]


def scenarios() -> list[Scenario]:
    """A picture of 1100 x 1100 pixels at patch 16, and one of 2260 x 2260."""
    return [
        Scenario("affinity-5k", partial(token_maps, 5000), pool, plain_pool, compare, quick=False),
        Scenario("affinity-20k", partial(token_maps, 20_000), pool, plain_pool, compare, quick=False),
    ]


def token_maps(tokens: int) -> Maps:
    """Values [1, D, N] and guide [1, G, N]; the guide changes slowly, as neighbours look alike."""
    import torch

    generator = torch.Generator().manual_seed(0)
    steps = torch.randn(1, _GUIDE_WIDTH, tokens, generator=generator)
    return torch.randn(1, _WIDTH, tokens, generator=generator), steps.cumsum(dim=2)


def pool(maps: Maps) -> Tensor:
    """Ours."""
    from densevl.ops.affinity import affinity_pool

    return affinity_pool(*maps, threshold=_THRESHOLD)


def plain_pool(maps: Maps) -> Tensor:
    """The whole [N, N] matrix, thresholded, summed, then one product."""
    import torch.nn.functional as F

    values, guide = maps
    guide = F.normalize(guide, dim=1)
    affinity = guide.transpose(1, 2) @ guide  # [1, N, N]
    affinity[affinity < _THRESHOLD] = 0
    return values @ affinity.transpose(1, 2) / (affinity.sum(dim=2)[:, None] + 1e-6)


def compare(maps: Maps, ours: Tensor, reference: Tensor) -> tuple[bool, float]:
    """Equal within rounding: a cosine at the threshold itself may fall on either side."""
    difference = float((ours - reference).abs().max())
    return difference <= _TOLERANCE, difference
