"""Attention with other affinities than query against key: the last block of CLIP as SCLIP and its family read it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from densevl.core.errors import ShapeError, UsageError

PARTS = ("q", "k", "v")  # in the order of the fused projection


def project_part(tokens: Tensor, weight: Tensor, bias: Tensor, part: str) -> Tensor:
    """One third of a fused projection; the other two are not computed.

    Args:
        tokens: [B, N, D].
        weight: [3D, D], queries first, then keys, then values.
        bias: [3D].
        part: `q`, `k` or `v`.

    Returns:
        [B, N, D], heads side by side.
    """
    place = PARTS.index(part)
    return F.linear(tokens, weight.chunk(3)[place], bias.chunk(3)[place])


def pair_attention(
    parts: Mapping[str, Tensor], pairs: Sequence[str], *, num_heads: int, bias: Tensor | None = None
) -> Tensor:
    """Attention whose affinities are any pairs of queries, keys and values: `sum_ab softmax(a b^T / sqrt(d) + bias) v`.

    `("qk",)` is a ViT's own, `("qq", "kk")` SCLIP's (a sum, not a mean), `("kk",)` NACLIP's, `("qq",)` ClearCLIP's;
    without pairs every token sees itself only, which is MaskCLIP.

    Args:
        parts: `q`, `k`, `v`, each [B, N, D]; only those that the pairs name, and `v`.
        pairs: two letters each, what asks and what is asked.
        num_heads: heads of width d = D / num_heads.
        bias: [N, N] added to the affinities before the softmax.

    Returns:
        [B, N, D], before the output projection.

    Raises:
        UsageError: a pair is not two of `q`, `k`, `v`.
        ShapeError: bias is not [N, N].
    """
    check_pairs(pairs)
    values = parts["v"]
    if not pairs:
        return values
    count = values.shape[1]
    if bias is not None and tuple(bias.shape) != (count, count):
        raise ShapeError(f"expected a bias {[count, count]}, got {tuple(bias.shape)}")
    heads = {part: rearrange(tensor, "b n (heads d) -> b heads n d", heads=num_heads) for part, tensor in parts.items()}
    bias = None if bias is None else bias.to(values.dtype)
    attended = [
        F.scaled_dot_product_attention(heads[asking], heads[asked], heads["v"], attn_mask=bias)
        for asking, asked in pairs
    ]
    return rearrange(sum(attended[1:], attended[0]), "b heads n d -> b n (heads d)")


def check_pairs(pairs: Sequence[str]) -> None:
    """See that every pair is two of `q`, `k`, `v`.

    Raises:
        UsageError: one is not.
    """
    for pair in pairs:
        if len(pair) != 2 or not set(pair) <= set(PARTS):
            raise UsageError(f"affinity '{pair}': expected two letters of q, k, v, such as qq")


def gaussian_bias(grid: tuple[int, int], sigma: float, *, class_token: bool = True) -> Tensor:
    """What NACLIP adds to affinities: `exp(-distance^2 / (2 sigma^2))` of two patches, in patches; 0 for a class token.

    Args:
        grid: (h, w) patches.
        sigma: of the Gaussian, in patches.
        class_token: the first row and column stand for one.

    Returns:
        [N, N] float32 with N = h*w, or 1 + h*w.

    Raises:
        UsageError: sigma is not above 0.

    Source: Hajimiri et al., "Pay Attention to Your Neighbours", WACV 2025, section 3.2.
    """
    if not sigma > 0:
        raise UsageError(f"expected sigma above 0 patches, got {sigma}")
    rows, cols = (
        torch.exp(-((torch.arange(length)[:, None] - torch.arange(length)[None]) ** 2) / (2 * sigma**2))
        for length in grid
    )  # [h, h], [w, w]
    bias = rearrange(rows[:, None, :, None] * cols[None, :, None, :], "h w i j -> (h w) (i j)")
    return F.pad(bias, (1, 0, 1, 0)) if class_token else bias


def mean_cosine(guide: Tensor) -> Tensor:
    """Mean cosine over all pairs of positions, a position with itself too.

    Args:
        guide: [B, G, N].

    Returns:
        [B]. Its own mean is that over all pairs of the batch, since every item has as many.
    """
    return F.normalize(guide, dim=1).mean(dim=2).square().sum(dim=1)  # the mean of products is a product of means


def proxy_attention(
    guide: Tensor,
    values: Tensor,
    *,
    beta: float = 1.2,
    gamma: float = 3.0,
    mean: Tensor | None = None,
    block: int = 1024,
) -> Tensor:
    """Attention whose affinities are another model's: `softmax(gamma * (cos - beta * mean))` over what is above 0.

    All heads have the same affinities, so heads need not be told apart. Affinities below 0 get no weight; a position
    always keeps itself (where the published form would divide 0 by 0, because everything looks alike). Rows are made
    `block` at a time, so memory grows with N, not with N * N.

    Args:
        guide: [B, G, N] features of the other model on its grid; the cosine is taken here.
        values: [B, N, D] on the same grid.
        beta: how far above the mean an affinity must lie.
        gamma: sharpens the softmax.
        mean: [] or [B], the mean cosine. None: of each item alone, as ProxyCLIP, which sees one window at a time.
            Trident takes one number over all windows of a picture: `mean_cosine(guide).mean()`.
        block: rows held at a time.

    Returns:
        [B, N, D], before the output projection, of the kind of `values`.

    Raises:
        ShapeError: guide and values do not fit.

    Source: Lan et al., "ProxyCLIP", ECCV 2024, section 3.3.
    """
    if guide.ndim != 3 or values.ndim != 3 or guide.shape[::2] != values.shape[:2]:
        raise ShapeError(f"expected guide [B, G, N] and values [B, N, D], got {(*guide.shape,)} and {(*values.shape,)}")
    mean = mean_cosine(guide) if mean is None else mean
    guide = F.normalize(guide, dim=1)
    itself = torch.arange(guide.shape[2], device=guide.device)
    attended = torch.empty_like(values)
    for rows in itself.split(block):
        affinity = gamma * (guide[:, :, rows].transpose(1, 2) @ guide - beta * mean.reshape(-1, 1, 1))  # [B, n, N]
        cut = (affinity < 0) & (rows[:, None] != itself)
        weights = affinity.masked_fill(cut, -torch.inf).softmax(dim=-1)
        attended[:, rows] = weights.to(values.dtype) @ values
    return attended
