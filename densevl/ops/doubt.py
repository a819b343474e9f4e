"""How unsure the labels are."""

from __future__ import annotations

import torch
from torch import Tensor

from densevl.core.errors import ShapeError


def doubt(scores: Tensor, *, logit_scale: float | None = None) -> Tensor:
    """Doubt of each place: 1 - (p1 - p2), the gap between the two most probable classes.

    Args:
        scores: [..., K] similarities, or probabilities where no scale is given.
        logit_scale: softmax(logit_scale * scores) makes the probabilities; None: they are probabilities already.

    Returns:
        [...] in [0, 1]; 0 everywhere for a single class, which has no rival.

    Raises:
        ShapeError: no class at all.
    """
    if scores.ndim == 0 or scores.shape[-1] == 0:
        raise ShapeError(f"expected scores [..., K] of at least one class, got {tuple(scores.shape)}")
    if scores.shape[-1] == 1:
        return torch.zeros_like(scores[..., 0])
    probabilities = scores if logit_scale is None else (scores * logit_scale).softmax(dim=-1)
    best = probabilities.topk(2, dim=-1).values  # [..., 2]
    return 1 - (best[..., 0] - best[..., 1])
