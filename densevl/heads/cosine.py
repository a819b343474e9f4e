"""The head of every open-vocabulary method: cosine with the words' vectors, best query of each class, softmax."""

from __future__ import annotations

from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import TextBank
from densevl.ops.probability import best_query


@dataclass(frozen=True)
class CosineHead:
    """Features [..., D] x TextBank [Q, D] -> scores [..., K] or [..., Q]; pixels, pictures and clips alike.

    Attributes:
        logit_scale: what the cosines are multiplied with.
        softmax: give probabilities over the classes; else the scaled cosines.
        normalise: bring features to unit length; False takes the dot product as it is.
        over_queries: leave the scaled cosines of all queries as they are, [..., Q]. Windows and pixels are then made of
            them; the softmax over all queries, and the best one of each class, come last, and many synonyms of one
            class lower all the others. So SCLIP's family and Trident were published, and their thresholds are for it.
            False: a class is as good as the best of its queries from here on.
    """

    logit_scale: float = 100.0
    softmax: bool = True
    normalise: bool = True
    over_queries: bool = False

    def __post_init__(self) -> None:
        """Check that scores of queries are no probabilities yet."""
        if self.over_queries and self.softmax:
            raise UsageError("over_queries leaves the softmax to the end: it needs softmax=False")

    def __call__(self, features: Tensor, bank: TextBank) -> Tensor:
        """Score.

        Raises:
            ShapeError: features and words have different widths.
        """
        if features.shape[-1] != bank.vectors.shape[1]:
            raise ShapeError(f"expected features [..., {bank.vectors.shape[1]}], got {tuple(features.shape)}")
        if self.normalise:
            features = F.normalize(features, dim=-1)
        logits = self.logit_scale * (features @ bank.vectors.to(features.dtype).T)  # [..., Q]
        if self.over_queries:
            return logits
        logits = best_query(logits, bank.class_index, bank.num_classes)  # [..., K]
        return logits.softmax(dim=-1) if self.softmax else logits
