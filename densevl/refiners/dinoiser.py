"""CLIP-DINOiser: two convolutions that learned which CLIP patches belong together, and which show an object."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal

import torch.nn.functional as F
from torch import Tensor, nn

from densevl.core.errors import ConfigError, WeightsError
from densevl.core.structures import FeatureMap
from densevl.ops.affinity import affinity_pool, cosine_affinity
from densevl.weights import load_strict, locate_file, read_field, read_state_dict

Tap = int | Literal["final"]


class DINOiserRefiner(nn.Module):
    """FeatureMap with guide -> pooled features [B, E, h, w] and objectness [B, 1, h, w].

    Args:
        guide_channels: G, what the guide must have.
        affinity_channels: width of the space where patches are compared.
        threshold: cosines below it count as 0 (the published gamma); None or 0 keeps them all, as published.
        guide_block: the tap these weights were trained on; None: not known, then only the width is checked.

    Source: Wysoczanska et al., "CLIP-DINOiser", ECCV 2024; key names of the published file.
    """

    def __init__(
        self,
        guide_channels: int,
        affinity_channels: int,
        *,
        threshold: float | None = 0.2,
        guide_block: Tap | None = None,
    ) -> None:
        super().__init__()
        self.obj_proj = nn.Conv2d(guide_channels, affinity_channels, 3, padding=1, padding_mode="replicate")
        self.bkg_decoder = nn.Conv2d(guide_channels, 1, 1)
        self.threshold, self.guide_block = threshold or None, guide_block

    @classmethod
    def from_checkpoint(
        cls,
        checkpoint: str | Path | Mapping[str, Any],
        *,
        threshold: float | None = 0.2,
        guide_block: Tap | None = None,
    ) -> DINOiserRefiner:
        """Read the published `last.pt` ({epoch, model_state_dict}), or its content.

        The published file does not say its tap, those that our training writes do.

        Raises:
            WeightsError: damaged, not these four tensors, or trained on another tap than `guide_block`.
        """
        if isinstance(checkpoint, Mapping):
            name, state = "the checkpoint", dict(checkpoint.get("model_state_dict", checkpoint))
            tap = checkpoint.get("guide_block")
        else:
            name, state, tap = str(checkpoint), read_state_dict(checkpoint), read_field(checkpoint, "guide_block")
        if None not in (tap, guide_block) and tap != guide_block:
            raise WeightsError(f"{name} was trained on guide_block={tap!r}, asked for is {guide_block!r}: set it alike")
        weight = state.get("obj_proj.weight")
        if not isinstance(weight, Tensor) or weight.ndim != 4:
            raise WeightsError(f"{name} has no obj_proj.weight [d, G, 3, 3]: it is no checkpoint of CLIP-DINOiser")
        tap = guide_block if tap is None else tap
        refiner = cls(weight.shape[1], weight.shape[0], threshold=threshold, guide_block=tap)
        load_strict(refiner, state, name=name)
        return refiner.eval().requires_grad_(False)

    def to_checkpoint(self, epoch: int) -> dict[str, Any]:
        """What the published file holds, and beside it the tap."""
        state = {name: tensor.detach().cpu().clone() for name, tensor in self.state_dict().items()}
        return {"epoch": epoch, "model_state_dict": state, "guide_block": self.guide_block}

    def forward(self, feature_map: FeatureMap) -> FeatureMap:
        """Refine.

        Raises:
            ConfigError: the map has no guide. WeightsError: the guide is not the one these weights were trained on.
        """
        guide = self.read_guide(feature_map)
        features, grid = feature_map.features, guide.shape[2:]
        projected = self._project(guide)  # [B, d, N]
        pooled = affinity_pool(features.flatten(2), projected, threshold=self.threshold)
        return replace(feature_map, features=pooled.unflatten(2, grid), objectness=self.objectness(guide))

    def read_guide(self, feature_map: FeatureMap) -> Tensor:
        """The guide [B, G, h, w] of a map.

        Raises:
            ConfigError: it has none. WeightsError: it is not the one these weights were trained on.
        """
        guide = feature_map.guide
        if guide is None:
            raise ConfigError(
                "CLIP-DINOiser needs a guide: give the extractor guide_block=-3 (the published feats_idx)"
            )
        if None not in (self.guide_block, feature_map.guide_block) and self.guide_block != feature_map.guide_block:
            raise WeightsError(
                f"these weights were trained on guide_block={self.guide_block!r}, the extractor gives "
                f"{feature_map.guide_block!r}: set both alike, or take weights trained on it"
            )
        return guide

    def correlate(self, guide: Tensor) -> Tensor:
        """Guide [B, G, h, w] -> cosines [B, N, N] of all pairs of patches, not thresholded."""
        return cosine_affinity(self._project(guide))

    def objectness(self, guide: Tensor) -> Tensor:
        """Guide [B, G, h, w] -> logits [B, 1, h, w], high on objects."""
        self._check(guide)
        return self.bkg_decoder(F.normalize(guide, dim=1))

    def _project(self, guide: Tensor) -> Tensor:
        self._check(guide)
        return self.obj_proj(guide).flatten(2)

    def _check(self, guide: Tensor) -> None:
        expected = self.obj_proj.in_channels
        if guide.shape[1] != expected:
            raise WeightsError(
                f"these weights read a guide of {expected} channels, the extractor gives {guide.shape[1]}: "
                "take the weights of this backbone, or another guide_block (a block, or 'final')"
            )


def load_dinoiser(
    weights: str = "clip-dinoiser-last", *, threshold: float | None = 0.2, guide_block: Tap | None = None
) -> DINOiserRefiner:
    """The refiner with weights of the table, or of a file.

    Raises:
        WeightsError: missing, or not CLIP-DINOiser's.
    """
    return DINOiserRefiner.from_checkpoint(locate_file(weights), threshold=threshold, guide_block=guide_block)
