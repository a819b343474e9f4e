"""What training makes small: plain functions on scores and targets, each a mean over what it looks at."""

from __future__ import annotations

import torch
from torch import Tensor

from densevl.core.errors import ShapeError


def soft_target_cross_entropy(logits: Tensor, targets: Tensor) -> Tensor:
    """Cross entropy with a weight for every class, for smoothed or mixed labels.

    Args:
        logits: [B, K].
        targets: [B, K], weights of the classes; rows of sum 1.

    Returns:
        [] the mean over B of -sum_k targets * log softmax(logits).

    Raises:
        ShapeError: the two are not both [B, K].

    Source: Zhang et al., mixup, ICLR 2018, section 2.
    """
    if logits.ndim != 2 or logits.shape != targets.shape:
        raise ShapeError(f"expected logits and targets [B, K], got {list(logits.shape)} and {list(targets.shape)}")
    return -(targets * torch.log_softmax(logits, dim=1)).sum(dim=1).mean()
