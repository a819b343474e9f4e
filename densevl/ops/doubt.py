"""How unsure the labels are."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from einops import rearrange
from torch import Tensor

from densevl.core.errors import ShapeError
from densevl.core.structures import ScoreMap
from densevl.ops.probability import best_query
from densevl.ops.resize import label_picture


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


def doubt_map(score_map: ScoreMap) -> np.ndarray:
    """Doubt of a picture at the size the model saw.

    The doubt of each patch, between classes that are not muted, averaged over windows and interpolated as scores are.

    Args:
        score_map: scores of one picture.

    Returns:
        [H', W'] float32.
    """
    by_pixel = rearrange(score_map.scores, "n k h w -> n h w k")
    probabilities = by_pixel.softmax(dim=-1) if score_map.logits else by_pixel
    if score_map.muted is not None:
        probabilities = probabilities.masked_fill(score_map.muted.to(probabilities.device), 0.0)
    if score_map.class_index is not None:
        classes = score_map.class_index.to(probabilities.device)
        probabilities = best_query(probabilities, classes, score_map.num_classes)
    scores = doubt(probabilities)[:, None]  # [W, 1, h, w]
    # one class: its "winning score" is the doubt itself
    one_class = replace(score_map, scores=scores, logits=False, class_index=None, muted=None)
    return label_picture(one_class, score_map.canvas)[1]
