"""How CLIP-DINOiser learns: one step from pixels to its two losses. Only the student's two convolutions are trained."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.core.errors import UsageError
from densevl.core.stages import Extractor
from densevl.refiners import DINOiserRefiner
from densevl.tasks.dinoiser_teachers import DINOiserTeachers


class DINOiserStep(nn.Module):
    """Pixels -> named losses (a core.stages.TrainStep).

    Args:
        extractor: frozen CLIP with the guide that the student reads.
        student: what is trained.
        teachers: pixels and grid -> which patches belong together, and which show an object.
        rates: learning rates of the affinity and of the objectness convolution.

    Source: Wysoczanska et al., "CLIP-DINOiser", ECCV 2024, and its training code.
    """

    def __init__(
        self,
        extractor: Extractor,
        student: DINOiserRefiner,
        *,
        teachers: DINOiserTeachers,
        rates: tuple[float, float] = (5e-5, 1e-2),
    ) -> None:
        super().__init__()
        if len(rates) != 2:
            raise UsageError(f"train.rates are two, of the affinity and of the objectness convolution; got {rates}")
        self.extractor, self.trained = extractor, student
        self.teachers, self.rates = teachers, rates
        student.requires_grad_(True)

    def forward(self, batch: Tensor) -> Mapping[str, Tensor]:
        """Pixels [B, 3, H, W] in [0, 1] -> `correlation` and `objectness`, each a mean.

        Raises:
            ConfigError: the extractor gives no guide, or DINO sees another grid.
        """
        guide = self.read_guide(batch)
        pairs, objects = self.teachers(batch, tuple(guide.shape[2:]))
        return {
            # the clamped cosine is the logit itself, as published
            "correlation": F.binary_cross_entropy_with_logits(self.correlate(guide), pairs),
            "objectness": F.binary_cross_entropy_with_logits(self.trained.objectness(guide), objects),
        }

    def parameter_groups(self) -> Sequence[Mapping[str, Any]]:
        """The two convolutions with their rates."""
        convolutions = (self.trained.obj_proj, self.trained.bkg_decoder)
        return [
            {"params": list(part.parameters()), "lr": rate} for part, rate in zip(convolutions, self.rates, strict=True)
        ]

    def release(self, epoch: int) -> Mapping[str, Any]:
        """The published layout of `last.pt`."""
        return self.trained.to_checkpoint(epoch)

    @torch.no_grad()
    def read_guide(self, pixels: Tensor) -> Tensor:
        """[B, G, h, w], what the student reads."""
        return self.trained.read_guide(self.extractor(pixels))

    def correlate(self, guide: Tensor) -> Tensor:
        """Guide [B, G, h, w] -> the student's cosines [B, N, N], negative ones as 0."""
        return self.trained.correlate(guide).clamp(min=0)
