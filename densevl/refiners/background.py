"""The found rule: where nothing is sure and no object is seen, it is background."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from densevl.core.errors import ClassListError, ConfigError
from densevl.core.structures import FeatureMap, TextBank
from densevl.ops.tokens import resize_map
from densevl.vocab.grammar import is_leftover


@dataclass(frozen=True)
class FoundRule:
    """Probabilities [B, K, h, w] -> the same with 1 for the background class where a patch is unsure and no object.

    The other classes keep their probabilities, as published. Every picture of a batch is judged alone (the published
    code is right for one picture only).

    Attributes:
        delta: a patch is unsure if no class is more probable.

    Source: Wysoczanska et al., "CLIP-DINOiser", ECCV 2024.
    """

    delta: float = 0.99

    def __call__(self, scores: Tensor, *, pixels: Tensor, feature_map: FeatureMap, bank: TextBank) -> Tensor:
        """Refine.

        Raises:
            ConfigError: nothing before gave an objectness.
            ClassListError: the list has no background class.
        """
        if feature_map.objectness is None:
            raise ConfigError("the found rule needs an objectness: put a DINOiserRefiner or a FOUND teacher before it")
        background = [is_leftover(name) for name in bank.class_names]
        if not any(background):
            raise ClassListError("this model sets a background class apart: add a class named background to the list")
        objectness = resize_map(feature_map.objectness, tuple(scores.shape[2:]))  # [B, 1, h, w]
        nothing = (objectness.sigmoid() <= 0.5) & (scores.amax(dim=1, keepdim=True) < self.delta)
        chosen = torch.zeros(len(background), dtype=torch.bool, device=scores.device)
        chosen[background.index(True)] = True
        return torch.where(nothing & chosen[:, None, None], torch.ones_like(scores), scores)
