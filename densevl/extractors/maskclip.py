"""MaskCLIP: CLIP's patch features when the last block lets every token see itself only."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from densevl.backbones.clip import CLIPBackbone
from densevl.core.structures import FeatureMap
from densevl.ops.tokens import tokens_to_map


class MaskCLIPExtractor(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> FeatureMap [B, E, h, w] in CLIP's joint space, not normalised.

    The last block's attention is replaced by the identity: its values go through the output projection alone.
    Keeping residual and MLP is the form CLIP-DINOiser builds on (preset `dinoiser`); dropping both is `plain`.

    Source: Zhou et al., "Extract Free Dense Labels from CLIP", ECCV 2022, section 3.2.

    Args:
        clip_model: the backbone.
        keep_residual: add the block's input to the values.
        keep_mlp: run the block's MLP on them.
    """

    def __init__(self, clip_model: CLIPBackbone, *, keep_residual: bool = True, keep_mlp: bool = True) -> None:
        super().__init__()
        self.clip_model = clip_model
        self.keep_residual, self.keep_mlp = keep_residual, keep_mlp
        self.stride = clip_model.patch_size

    def forward(self, pixels: Tensor) -> FeatureMap:
        """Extract.

        Raises:
            ShapeError: not float pixels [B, 3, H, W].
        """
        tokens = self.clip_model.embed(pixels)  # [B, 1 + h*w, D]
        for block in self.clip_model.blocks[:-1]:
            tokens = block(tokens)
        patches = self.value_path(tokens[:, 1:])  # [B, h*w, D]; no token sees the class token any more
        features = self.clip_model.finish(patches)  # [B, h*w, E]
        return FeatureMap(tokens_to_map(features, self.clip_model.grid(pixels)))

    def value_path(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] before the last block -> [B, N, D] after it; query and key are never computed."""
        block = self.clip_model.blocks[-1]
        attention = block.attn
        width = self.clip_model.width
        weight, bias = attention.in_proj_weight[2 * width :], attention.in_proj_bias[2 * width :]  # the V third
        values = F.linear(block.ln_1(tokens), weight, bias)
        values = block.ls_1(F.linear(values, attention.out_proj.weight, attention.out_proj.bias))
        if self.keep_residual:
            values = values + tokens
        if self.keep_mlp:
            values = values + block.ls_2(block.mlp(block.ln_2(values)))
        return values
