"""The head of every open-vocabulary method: cosine with the words' vectors, best synonym, softmax."""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import TextBank


@dataclass(frozen=True)
class CosineHead:
    """Features [..., D] x TextBank [Q, D] -> scores [..., K]; pixels, pictures and clips alike.

    Attributes:
        logit_scale: what the cosines are multiplied with.
        softmax: give probabilities over the classes; else the scaled cosines.
        normalise: bring features to unit length; False takes the dot product as it is.
        over_queries: the softmax goes over all queries, and a class is as probable as its best one, so that many
            synonyms of one class lower all the others (SCLIP; Trident, whose class 0 alone has synonyms). Published
            thresholds of least probability are for this form. False: over the classes.
    """

    logit_scale: float = 100.0
    softmax: bool = True
    normalise: bool = True
    over_queries: bool = False

    def __post_init__(self) -> None:
        """Check that what goes over queries is a softmax."""
        if self.over_queries and not self.softmax:
            raise UsageError("over_queries says what the softmax goes over: it needs softmax=True")

    def __call__(self, features: Tensor, bank: TextBank) -> Tensor:
        """Score; a class is as good as the best of its synonyms.

        Raises:
            ShapeError: features and words have different widths.
        """
        if features.shape[-1] != bank.vectors.shape[1]:
            raise ShapeError(f"expected features [..., {bank.vectors.shape[1]}], got {tuple(features.shape)}")
        if self.normalise:
            features = F.normalize(features, dim=-1)
        logits = self.logit_scale * (features @ bank.vectors.to(features.dtype).T)  # [..., Q]
        if self.over_queries:
            return best_synonym(logits.softmax(dim=-1), bank)  # [..., K]
        logits = best_synonym(logits, bank)  # [..., K]
        return logits.softmax(dim=-1) if self.softmax else logits


def best_synonym(scores: Tensor, bank: TextBank) -> Tensor:
    """Scores [..., Q] of queries -> [..., K] of classes, the largest of each class's queries."""
    if scores.shape[-1] == bank.num_classes:
        order = bank.class_index.argsort()
        return scores[..., order]
    lowest = torch.full_like(scores[..., : bank.num_classes], -torch.inf)  # [..., K]
    return lowest.scatter_reduce(-1, bank.class_index.expand(scores.shape), scores, "amax")
