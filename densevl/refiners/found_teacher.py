"""FOUND: which patches belong to an object, read off DINO's keys by one linear layer; a teacher of CLIP-DINOiser."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from densevl.backbones import DINOBackbone, load_dino
from densevl.core.errors import WeightsError
from densevl.weights import locate, read_state_dict


class FoundTeacher(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> probability of an object [B, 1, h, w]. Frozen.

    Args:
        dino: the backbone whose last block's keys are read; published: DINO ViT-S/8.
        decoder_weight: [1, D, 1, 1].
        decoder_bias: [1].

    Raises:
        WeightsError: the decoder was not trained on a backbone of this width.

    Source: Simeoni et al., "Unsupervised Object Localization: Observing the Background to Discover Objects",
    CVPR 2023, section 3.3.
    """

    def __init__(self, dino: DINOBackbone, decoder_weight: Tensor, decoder_bias: Tensor) -> None:
        super().__init__()
        expected = (1, dino.embed_dim, 1, 1)
        if tuple(decoder_weight.shape) != expected or tuple(decoder_bias.shape) != (1,):
            raise WeightsError(
                f"FOUND's decoder on this DINO has weight {list(expected)} and bias [1], got "
                f"{list(decoder_weight.shape)} and {list(decoder_bias.shape)}: give the DINO it was trained on"
            )
        self.dino = dino
        self.register_buffer("decoder_weight", decoder_weight.detach().clone())
        self.register_buffer("decoder_bias", decoder_bias.detach().clone())

    @classmethod
    def from_checkpoint(cls, checkpoint: str | Path | Mapping[str, Any], dino: DINOBackbone) -> FoundTeacher:
        """Read the published `decoder_weights.pt` ({"decoder": {"weight", "bias"}}), or its content.

        Raises:
            WeightsError: damaged, not these two tensors, or not of this width.
        """
        if isinstance(checkpoint, Mapping):
            name, decoder = "the checkpoint", checkpoint.get("decoder", checkpoint)
        else:
            name, decoder = str(checkpoint), read_state_dict(checkpoint)
        if set(decoder) != {"weight", "bias"}:
            raise WeightsError(f"{name} holds {', '.join(decoder)}: FOUND's decoder is a weight and a bias, no more")
        return cls(dino, decoder["weight"], decoder["bias"])

    def forward(self, pixels: Tensor, grid: tuple[int, int] | None = None) -> Tensor:
        """Look for objects.

        Args:
            pixels: [B, 3, H, W] float in [0, 1]; black is added at the bottom and right to whole patches.
            grid: (h, w) of the answer, resized with antialiasing; None: DINO's own.

        Returns:
            [B, 1, h, w] probabilities.

        Raises:
            ShapeError: not such pixels.
        """
        keys = self.dino.features(pixels, "k")  # [B, D, h, w]
        probability = F.conv2d(keys, self.decoder_weight, self.decoder_bias).sigmoid()  # [B, 1, h, w]
        if grid is None:
            return probability
        return F.interpolate(probability, size=tuple(grid), mode="bilinear", align_corners=False, antialias=True)


def load_found(weights: str = "found-decoder", dino: str = "dino-vit-s8") -> FoundTeacher:
    """The teacher with weights of the table, or with a file's decoder.

    Raises:
        WeightsError: missing, or not fitting one another.
    """
    path = Path(weights) if Path(weights).is_file() else locate(weights)
    return FoundTeacher.from_checkpoint(path, load_dino(dino))
