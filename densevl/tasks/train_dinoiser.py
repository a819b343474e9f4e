"""How CLIP-DINOiser learns: one step from pixels to its two losses. Only the student's two convolutions are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.backbones import DINOBackbone
from densevl.core.errors import ConfigError
from densevl.core.stages import Extractor
from densevl.ops.affinity import cosine_affinity
from densevl.refiners import DINOiserRefiner, FoundTeacher

OBJECT_PROBABILITY = 0.5  # FOUND's patches above it are objects


class DINOiserStep:
    """Pixels -> named losses (a core.stages.TrainStep).

    Args:
        extractor: frozen CLIP with the guide that the student reads.
        student: what is trained.
        dino: tells which patches belong together.
        found: tells which patches show an object.
        kind: which of DINO's last-block features are compared: q, k or v.
        threshold: cosines of DINO below it are no pair (the published gamma).
        rates: learning rates of the affinity and of the objectness convolution.

    Source: Wysoczanska et al., "CLIP-DINOiser", ECCV 2024, equations 4 and 6.
    """

    def __init__(
        self,
        extractor: Extractor,
        student: DINOiserRefiner,
        *,
        dino: DINOBackbone,
        found: FoundTeacher,
        kind: str = "v",
        threshold: float = 0.2,
        rates: tuple[float, float] = (5e-5, 1e-2),
    ) -> None:
        self.extractor, self.student = extractor, student
        self.dino, self.found = dino, found
        self.kind, self.threshold, self.rates = kind, threshold, rates
        student.requires_grad_(True)

    def __call__(self, batch: Tensor) -> Mapping[str, Tensor]:
        """Pixels [B, 3, H, W] in [0, 1] -> `correlation` and `objectness`, each a mean.

        Raises:
            ConfigError: the extractor gives no guide, or DINO sees another grid.
        """
        guide = self.read_guide(batch)
        pairs, objects = self.targets(batch, tuple(guide.shape[2:]))
        return {
            # the clamped cosine is the logit itself, as published
            "correlation": F.binary_cross_entropy_with_logits(self.correlate(guide), pairs),
            "objectness": F.binary_cross_entropy_with_logits(self.student.objectness(guide), objects),
        }

    def parameter_groups(self) -> Sequence[Mapping[str, Any]]:
        """The two convolutions with their rates."""
        convolutions = (self.student.obj_proj, self.student.bkg_decoder)
        return [
            {"params": list(part.parameters()), "lr": rate} for part, rate in zip(convolutions, self.rates, strict=True)
        ]

    @torch.no_grad()
    def read_guide(self, pixels: Tensor) -> Tensor:
        """[B, G, h, w], what the student reads."""
        guide = self.extractor(pixels).guide
        if guide is None:
            raise ConfigError("the student reads a guide: give the extractor guide_block=-3 (the published feats_idx)")
        return guide

    def correlate(self, guide: Tensor) -> Tensor:
        """Guide [B, G, h, w] -> the student's cosines [B, N, N], negative ones as 0."""
        return self.student.correlate(guide).clamp(min=0)

    @torch.no_grad()
    def targets(self, pixels: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
        """What the teachers say.

        Returns:
            1 where two patches belong together [B, N, N], and where a patch shows an object [B, 1, h, w]; float.
        """
        features = self.dino.features(pixels, self.kind)  # [B, D, h, w]
        if tuple(features.shape[2:]) != grid:
            came = tuple(features.shape[2:])
            raise ConfigError(f"DINO sees a grid of {came} where CLIP has {grid}: take a DINO of CLIP's patch size")
        pairs = cosine_affinity(features.flatten(2)) >= self.threshold
        return pairs.float(), (self.found(pixels, grid) > OBJECT_PROBABILITY).float()
