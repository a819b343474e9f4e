"""PAMR: scores made to follow the edges of a picture, by means over neighbours of like colour."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.core.errors import ShapeError, UsageError

_AROUND = [(dy, dx) for dy in (-1, 0, 1) for dx in (-1, 0, 1) if (dy, dx) != (0, 0)]
_CLASSES_AT_ONCE = 8  # few enough for the caches


def pamr(pixels: Tensor, scores: Tensor, *, steps: int = 10, dilations: Sequence[int] = (1, 2, 4, 8, 12, 24)) -> Tensor:
    """Pixel-adaptive mask refinement: `steps` times, every pixel's scores become a mean over its neighbours'.

    The neighbours are the eight at each distance, also where that reaches beyond the border, which is repeated. Their
    weights are a softmax over how far their colour is from the pixel's own, in standard deviations of the colours
    around; see `colour_weights`. Weights are computed once; neighbours are never held side by side.

    Args:
        pixels: [B, C, H, W]; the scale of a channel does not matter.
        scores: [B, K, h, w], of any meaning. Of another size than the pixels: first resized, bilinear with aligned
            corners.
        steps: how often; 0 only resizes.
        dilations: distances of the neighbours in pixels.

    Returns:
        [B, K, H, W], of the kind of `scores`.

    Raises:
        ShapeError: not such tensors.
        UsageError: no dilation, or one below 1; steps below 0.

    Source: Araslanov & Roth, "Single-Stage Semantic Segmentation from Image Labels", CVPR 2020, section 3.3.
    """
    if pixels.ndim != 4 or scores.ndim != 4 or len(pixels) != len(scores):
        came = f"{tuple(pixels.shape)} and {tuple(scores.shape)}"
        raise ShapeError(f"expected pixels [B, C, H, W] and scores [B, K, h, w], got {came}")
    if not dilations or min(dilations) < 1 or steps < 0:
        raise UsageError(f"expected distances of at least 1 px and no steps below 0, got {tuple(dilations)}, {steps}")
    size = tuple(pixels.shape[2:])
    if tuple(scores.shape[2:]) == size:
        refined = scores.clone()
    else:
        refined = F.interpolate(scores, size=size, mode="bilinear", align_corners=True)
    if steps:
        weights = colour_weights(pixels, dilations).to(scores.dtype)
        for part in refined.split(_CLASSES_AT_ONCE, dim=1):  # views: a part is written where it stood
            for _ in range(steps):
                part.copy_(_mean_over_neighbours(part, weights, dilations))
    return refined


def colour_weights(pixels: Tensor, dilations: Sequence[int]) -> Tensor:
    """How much each neighbour counts: softmax over all of `-mean_C |x_n - x| / (0.1 std + 1e-8)`.

    Args:
        pixels: [B, C, H, W] float.
        dilations: distances in pixels, P = 8 * len(dilations) neighbours.

    Returns:
        [B, P, H, W], summing to 1 over P: for each distance the eight neighbours row by row. `std` is that of the
        colours around, the pixel itself counted once for each distance.
    """
    count = 9 * len(dilations)
    total, squares = torch.zeros_like(pixels), torch.zeros_like(pixels)
    for neighbour in _neighbours(pixels, dilations):
        difference = neighbour - pixels
        total += difference
        squares += difference.square()
    spread = ((squares - total.square() / count).clamp(min=0) / (count - 1)).sqrt()
    scale = 0.1 * spread + 1e-8
    weights = pixels.new_empty((len(pixels), 8 * len(dilations), *pixels.shape[2:]))
    for place, neighbour in enumerate(_neighbours(pixels, dilations)):
        weights[:, place] = -((neighbour - pixels).abs() / scale).mean(dim=1)
    weights -= weights.amax(dim=1, keepdim=True)
    weights.exp_()
    weights /= weights.sum(dim=1, keepdim=True)
    return weights


def _mean_over_neighbours(values: Tensor, weights: Tensor, dilations: Sequence[int]) -> Tensor:
    """Values [B, K, H, W], weights [B, P, H, W] -> [B, K, H, W]."""
    mean = torch.zeros_like(values)
    for place, neighbour in enumerate(_neighbours(values, dilations)):
        mean.addcmul_(neighbour, weights[:, place, None])
    return mean


def _neighbours(values: Tensor, dilations: Sequence[int]) -> Iterator[Tensor]:
    """Values [B, C, H, W] as seen from each pixel's neighbours, [B, C, H, W] views of one padded copy."""
    margin = max(dilations)
    height, width = values.shape[2:]
    padded = F.pad(values, [margin] * 4, mode="replicate")
    for dilation in dilations:
        for dy, dx in _AROUND:
            top, left = margin + dy * dilation, margin + dx * dilation
            yield padded[:, :, top : top + height, left : left + width]
