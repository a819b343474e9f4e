"""MaskCLIP: CLIP's patch features when the last block lets every token see itself only."""

from __future__ import annotations

from typing import Literal

from torch import Tensor, nn

from densevl.backbones.clip import CLIPBackbone
from densevl.core.errors import ConfigError
from densevl.core.structures import FeatureMap
from densevl.ops.attention import project_part
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
        guide_block: what refiners compare patches with. A block counted from the end, at most -2: its second norm,
            after its attention and before its MLP (CLIP-DINOiser takes -3 and calls it `feats_idx`); "final": the
            features themselves; None: no guide.

    Raises:
        ConfigError: there is no such block before the last.
    """

    def __init__(
        self,
        clip_model: CLIPBackbone,
        *,
        keep_residual: bool = True,
        keep_mlp: bool = True,
        guide_block: int | Literal["final"] | None = None,
    ) -> None:
        super().__init__()
        if isinstance(guide_block, int) and not -clip_model.depth <= guide_block <= -2:
            raise ConfigError(f"guide_block must be -{clip_model.depth}..-2, 'final' or None, got {guide_block}")
        self.clip_model = clip_model
        self.keep_residual, self.keep_mlp, self.guide_block = keep_residual, keep_mlp, guide_block
        self.stride = clip_model.patch_size

    def forward(self, pixels: Tensor) -> FeatureMap:
        """Extract.

        Raises:
            ShapeError: not float pixels [B, 3, H, W].
        """
        tokens, tapped = self.walk(pixels)
        grid = self.clip_model.grid(pixels)
        patches = self.value_path(tokens[:, 1:])  # [B, h*w, D]; no token sees the class token any more
        features = tokens_to_map(self.clip_model.finish(patches), grid)  # [B, E, h, w]
        if self.guide_block == "final":
            guide = features
        else:
            guide = None if tapped is None else tokens_to_map(tapped[:, 1:], grid)  # [B, D, h, w]
        return FeatureMap(features, guide, guide_block=self.guide_block)

    def walk(self, pixels: Tensor) -> tuple[Tensor, Tensor | None]:
        """Through all blocks but the last: tokens [B, 1 + h*w, D], and those at the guide block's second norm."""
        tokens, tapped = self.clip_model.embed(pixels), None
        for place, block in enumerate(self.clip_model.blocks[:-1], start=-self.clip_model.depth):
            if place == self.guide_block:
                middle = tokens + block.ls_1(block.attention(q_x=block.ln_1(tokens)))
                tapped = block.ln_2(middle)
                tokens = middle + block.ls_2(block.mlp(tapped))
            else:
                tokens = block(tokens)
        return tokens, tapped

    def value_path(self, tokens: Tensor) -> Tensor:
        """Tokens [B, N, D] before the last block -> [B, N, D] after it; query and key are never computed."""
        block = self.clip_model.blocks[-1]
        attention = block.attn
        values = project_part(block.ln_1(tokens), attention.in_proj_weight, attention.in_proj_bias, "v")
        values = block.ls_1(attention.out_proj(values))
        if self.keep_residual:
            values = values + tokens
        if self.keep_mlp:
            values = values + block.ls_2(block.mlp(block.ln_2(values)))
        return values
