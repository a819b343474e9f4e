"""Affinity pooling: every patch becomes a weighted mean of the patches that look like it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

from densevl.core.errors import ShapeError


def affinity_pool(
    values: Tensor,
    guide: Tensor,
    *,
    threshold: float | None = None,
    power: float = 1.0,
    eps: float = 1e-6,
    block: int = 256,
) -> Tensor:
    """Pool values over the cosine affinity of a guide: `out_p = sum_q A_pq v_q / (sum_q A_pq + eps)`.

    `A_pq = cos(guide_p, guide_q) ** power`, 0 where the cosine is below `threshold`. Rows of A are made `block` at a
    time, so memory grows with N, not with N * N. Pooling is linear in the values: pooled features give the same
    scores as pooled scores.

    Args:
        values: [B, D, N] what is pooled.
        guide: [B, G, N] what patches are compared by; any length, the cosine is taken here.
        threshold: cosines below it count as 0; None keeps them all. A fractional `power` needs one of at least 0.
        power: sharpens the affinity.
        eps: added to the sum of a row.
        block: rows of A held at a time.

    Returns:
        [B, D, N] pooled values, of the kind of `values`.

    Raises:
        ShapeError: the two are not [B, *, N] of one batch and length.

    Source: Wysoczanska et al., CLIP-DINOiser, ECCV 2024 (power 1).
    """
    if values.ndim != 3 or guide.ndim != 3 or values.shape[::2] != guide.shape[::2]:
        raise ShapeError(f"expected values [B, D, N] and guide [B, G, N], got {(*values.shape,)} and {(*guide.shape,)}")
    guide = F.normalize(guide, dim=1).to(values.dtype)
    # Filled in place: small results kept between the large temporaries would pin the heap that those leave.
    pooled = torch.empty_like(values)
    for start in range(0, guide.shape[2], block):
        rows = guide[:, :, start : start + block]
        pooled[:, :, start : start + block] = _pool_rows(values, rows, guide, threshold=threshold, power=power, eps=eps)
    return pooled


def _pool_rows(
    values: Tensor, rows: Tensor, guide: Tensor, *, threshold: float | None, power: float, eps: float
) -> Tensor:
    """Values [B, D, N], unit guides of n patches [B, G, n] and of all -> [B, D, n]."""
    affinity = keep_above(rows.transpose(1, 2) @ guide, threshold)  # [B, n, N]
    return pool_by_affinity(values, affinity if power == 1 else affinity.pow(power), eps=eps)


def cosine_affinity(guide: Tensor) -> Tensor:
    """Guide [B, G, N] -> the whole matrix [B, N, N] of cosines; for training, where N is a crop's."""
    guide = F.normalize(guide, dim=1)
    return guide.transpose(1, 2) @ guide


def keep_above(affinity: Tensor, threshold: float | None) -> Tensor:
    """The affinity [..., N] with 0 where it is below the threshold; None keeps it all."""
    return affinity if threshold is None else torch.where(affinity < threshold, 0.0, affinity)


def pool_by_affinity(values: Tensor, affinity: Tensor, *, eps: float = 1e-6) -> Tensor:
    """Values [B, D, N] and rows of an affinity [B, n, N] -> [B, D, n], each row's weighted mean."""
    weight = affinity / (affinity.sum(dim=2, keepdim=True) + eps)
    return values @ weight.transpose(1, 2)
