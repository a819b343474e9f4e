"""Features of one model, guided by another: CLIP knows the words, DINO knows what belongs together."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn

from densevl.backbones.dino import DINOBackbone
from densevl.core.stages import Extractor
from densevl.core.structures import FeatureMap
from densevl.ops.tokens import pad_to_multiple, resize_map


class GuidedExtractor(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> FeatureMap [B, D, h, w] with DINO's map as guide, on DINO's grid.

    With an AffinityPoolRefiner behind it (threshold 0.2) this is DinoCLIP, the training-free form of CLIP-DINOiser.
    Both models see the same picture, padded with black until the patches of both are whole.

    Args:
        extractor: gives the features; resized (bilinear) where its grid is another.
        guide_model: gives the guide.
        kind: of the guide: `q`, `k`, `v` or `tokens`; see `DINOBackbone.features`.
        block: of the guide; -1 is the last.
        objectness_model: (pixels, grid) -> probability of an object [B, 1, h, w], such as a FoundTeacher; None: none.

    Source: Wysoczanska et al., "CLIP-DINOiser", ECCV 2024.
    """

    def __init__(
        self,
        extractor: Extractor,
        guide_model: DINOBackbone,
        *,
        kind: str = "v",
        block: int = -1,
        objectness_model: Callable[[Tensor, tuple[int, int]], Tensor] | None = None,
    ) -> None:
        super().__init__()
        self.extractor, self.guide_model, self.objectness_model = extractor, guide_model, objectness_model
        self.kind, self.block = kind, block
        self.stride = guide_model.stride

    def forward(self, pixels: Tensor) -> FeatureMap:
        """Extract.

        Raises:
            ShapeError: not float pixels [B, 3, H, W].
        """
        height, width = self.guide_model.grid(pixels)
        padded = pad_to_multiple(pixels, math.lcm(self.extractor.stride, self.stride))
        guide = self.guide_model.features(padded, self.kind, block=self.block)  # [B, G, h, w]
        grid = (guide.shape[2], guide.shape[3])
        features = resize_map(self.extractor(padded).features, grid)  # [B, D, h, w]
        objectness = None
        if self.objectness_model is not None:
            probability = self.objectness_model(padded, grid)  # [B, 1, h, w]
            objectness = torch.logit(probability, eps=1e-6)[..., :height, :width]
        return FeatureMap(features[..., :height, :width], guide[..., :height, :width], objectness)
