"""SAM-guided aggregation: every place of a picture becomes a weighted mean of the places that SAM binds it to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.core.errors import ShapeError
from densevl.ops.tokens import map_to_tokens, resize_map

_LARGEST_THRESHOLD = 0.9  # a place is always like itself
_STRICT_THRESHOLD = 0.6  # taken for a negative one, unless that is wanted


def similarity_thresholds(keys: Tensor, *, factor: float = 1.2, keep_negative: bool = True) -> Tensor:
    """How alike two places must be, one number a place: `factor` times its mean similarity to all, at most 0.9.

    Args:
        keys: [heads, M, d] unit vectors; the mean is taken over heads too.
        factor: of the mean.
        keep_negative: leave a negative threshold as it is; False: 0.6 in its place.

    Returns:
        [M].

    Source: Shi et al., "Trident", ICCV 2025, code (`cos_fac`, `refine_neg_cos`).
    """
    means = torch.einsum("hmd,hd->m", keys, keys.mean(dim=1)) / len(keys)  # a mean of products is a product of means
    thresholds = factor * means
    if not keep_negative:
        thresholds = torch.where(thresholds < 0, _STRICT_THRESHOLD, thresholds)
    return thresholds.clamp(max=_LARGEST_THRESHOLD)


def guided_weights(
    attention: Iterable[Tensor], keys: Tensor, *, factor: float = 1.2, keep_negative: bool = True
) -> Iterator[Tensor]:
    """Rows of the weights of an aggregation: an attention, kept where two places are alike, and its rows made to sum 1.

    Args:
        attention: [heads, n, M] for some rows after the other, all M in order; never held together.
        keys: [heads, M, d] what places are compared by, any length; the cosine is taken here.
        factor: see `similarity_thresholds`.
        keep_negative: likewise.

    Yields:
        [n, M] for the rows of each part; all heads in one.

    Raises:
        ShapeError: attention and keys do not fit.
    """
    keys = F.normalize(keys, dim=-1)
    thresholds = similarity_thresholds(keys, factor=factor, keep_negative=keep_negative)
    start = 0
    for part in attention:
        rows = slice(start, start + part.shape[1])
        similarity = keys[:, rows] @ keys.transpose(1, 2)  # [heads, n, M]
        if part.shape != similarity.shape:
            raise ShapeError(f"expected attention {[*similarity.shape]} for keys {[*keys.shape]}, got {[*part.shape]}")
        kept = (part * (similarity > thresholds[rows, None])).sum(dim=0)  # [n, M]
        # where nothing passes, nothing is gathered; the published code divides 0 by 0 there
        yield kept / kept.sum(dim=-1, keepdim=True).clamp(min=torch.finfo(kept.dtype).tiny)
        start = rows.stop


def guided_pool(
    values: Tensor, attention: Iterable[Tensor], keys: Tensor, *, factor: float = 1.2, keep_negative: bool = True
) -> Tensor:
    """Values [M, D] aggregated by `guided_weights`, part by part: [M, D].

    Raises:
        ShapeError: attention, keys and values do not fit.
    """
    if values.ndim != 2 or keys.ndim != 3 or len(values) != keys.shape[1]:
        raise ShapeError(f"expected values [M, D] and keys [heads, M, d], got {(*values.shape,)} and {(*keys.shape,)}")
    pooled, start = torch.empty_like(values), 0
    for weights in guided_weights(attention, keys, factor=factor, keep_negative=keep_negative):
        pooled[start : start + len(weights)] = weights.to(values.dtype) @ values
        start += len(weights)
    if start != len(values):
        raise ShapeError(f"expected {len(values)} rows of attention, got {start}")
    return pooled


def aggregate_canvas(
    canvas: Tensor,
    views: Iterable[tuple[Iterable[Tensor], Tensor]],
    *,
    factor: float = 1.2,
    keep_negative: bool = True,
    count: int = 1,
) -> Tensor:
    """A canvas aggregated on the grid of SAM, or of several views that show it from left to right.

    Args:
        canvas: [D, h, w]; cut into as many parts as there are views, the last one narrower where it must be, each
            resized (bilinear) to its view's grid. One of fewer columns than views is widened to as many.
        views: attention as `guided_weights` takes it, and keys [heads, h', w', d]; one view is held at a time.
        factor: see `similarity_thresholds`.
        keep_negative: likewise.
        count: of views.

    Returns:
        [h', w', D], the views' grids side by side.
    """
    if canvas.shape[2] < count:
        canvas = resize_map(canvas[None], (canvas.shape[1], count))[0]
    parts = []
    for part, (attention, keys) in zip(canvas.chunk(count, dim=2), views, strict=True):
        grid = (keys.shape[1], keys.shape[2])
        values = map_to_tokens(resize_map(part[None], grid))[0]  # [M, D]
        pooled = guided_pool(values, attention, keys.flatten(1, 2), factor=factor, keep_negative=keep_negative)
        parts.append(pooled.unflatten(0, grid))
    return torch.cat(parts, dim=1)
