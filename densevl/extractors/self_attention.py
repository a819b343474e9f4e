"""SCLIP and its family: CLIP's patch features when the last block attends otherwise."""

from __future__ import annotations

import math
from collections.abc import Sequence

from torch import Tensor, nn

from densevl.backbones.clip import CLIPBackbone
from densevl.backbones.dino import DINOBackbone
from densevl.core.errors import ConfigError
from densevl.core.structures import FeatureMap
from densevl.ops.attention import check_pairs, gaussian_bias, pair_attention, project_part, proxy_attention
from densevl.ops.tokens import map_to_tokens, pad_to_multiple, resize_map, tokens_to_map

OVERSHOOT = 0.1  # of the position table: the family resizes it as DINO does


class SelfAttentionExtractor(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> FeatureMap [B, E, h, w] in CLIP's joint space, not normalised.

    Only the last block differs from CLIP's own. By its settings it is

    - CLIP as it is: `("qk",)`, residual and MLP kept;
    - SCLIP: `("qq", "kk")`, residual and MLP kept;
    - NACLIP: `("kk",)` and sigma 5, without residual and MLP ("reduced") or with both ("vanilla");
    - ClearCLIP: `("qq",)`, without residual and MLP;
    - MaskCLIP as this family has it: `()`, every token sees itself only. `MaskCLIPExtractor` is the form that
      CLIP-DINOiser builds on, with another resizing of the position table.

    Source: Wang et al., "SCLIP", ECCV 2024, equation 4; Hajimiri et al., "Pay Attention to Your Neighbours", WACV 2025;
    Lan et al., "ClearCLIP", ECCV 2024.

    Args:
        clip_model: the backbone.
        pairs: whose affinities the last block sums up: two letters of q, k, v each; see `ops.attention`.
        sigma: width in patches of the Gaussian that draws a patch to its neighbours; None: none.
        keep_residual: add the last block's input to its attention.
        keep_mlp: run the last block's MLP.

    Raises:
        UsageError: a pair is not two of q, k, v.
        ConfigError: a Gaussian without affinities to add it to.
    """

    def __init__(
        self,
        clip_model: CLIPBackbone,
        *,
        pairs: Sequence[str] = ("qk",),
        sigma: float | None = None,
        keep_residual: bool = True,
        keep_mlp: bool = True,
    ) -> None:
        super().__init__()
        check_pairs(pairs)
        if sigma is not None and not pairs:
            raise ConfigError("sigma needs affinities to add a Gaussian to: give pairs such as ('kk',)")
        self.clip_model = clip_model
        self.pairs, self.sigma = tuple(pairs), sigma
        self.keep_residual, self.keep_mlp = keep_residual, keep_mlp
        self.stride = clip_model.patch_size

    def forward(self, pixels: Tensor) -> FeatureMap:
        """Extract.

        Raises:
            ShapeError: not float pixels [B, 3, H, W].
        """
        patches = self.clip_model.finish(self.walk(pixels))[:, 1:]  # [B, h*w, E]
        return FeatureMap(tokens_to_map(patches, self.clip_model.grid(pixels)))

    def walk(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] -> tokens [B, 1 + h*w, D] behind the last block, the class token first."""
        tokens = walk_to_last(self.clip_model, pixels)
        block = self.clip_model.blocks[-1]
        normed = block.ln_1(tokens)
        asked = sorted({*"".join(self.pairs), "v"})
        parts = {part: project_last(self.clip_model, normed, part) for part in asked}
        bias = None
        if self.sigma is not None:
            bias = gaussian_bias(self.clip_model.grid(pixels), self.sigma).to(tokens.device)
        attended = pair_attention(parts, self.pairs, num_heads=self.clip_model.num_heads, bias=bias)
        attended = block.ls_1(block.attn.out_proj(attended))
        if self.keep_residual:
            attended = attended + tokens
        if self.keep_mlp:
            attended = attended + block.ls_2(block.mlp(block.ln_2(attended)))
        return attended


class ProxyCLIPExtractor(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> FeatureMap [B, E, h, w] in CLIP's joint space, on DINO's grid, not normalised.

    The values of CLIP's last block are pooled by what DINO finds alike; no residual, no MLP, and the class token stays
    outside. Both models see the same picture, padded with black until the patches of both are whole. Every picture
    (or window) is judged by its own mean affinity.

    Source: Lan et al., "ProxyCLIP", ECCV 2024, section 3.3.

    Args:
        clip_model: gives the values; resized (bilinear) to DINO's grid where theirs is another.
        dino: gives the affinities, as tokens behind its final norm.
        beta: how far above the mean an affinity must lie.
        gamma: sharpens the softmax over them.
    """

    def __init__(self, clip_model: CLIPBackbone, dino: DINOBackbone, *, beta: float = 1.2, gamma: float = 3.0) -> None:
        super().__init__()
        self.clip_model, self.dino = clip_model, dino
        self.beta, self.gamma = beta, gamma
        self.stride = dino.stride

    def forward(self, pixels: Tensor) -> FeatureMap:
        """Extract.

        Raises:
            ShapeError: not float pixels [B, 3, H, W].
        """
        height, width = self.dino.grid(pixels)
        pixels = pad_to_multiple(pixels, math.lcm(self.clip_model.patch_size, self.stride))
        guide = self.dino.features(pixels, "tokens")  # [B, G, h, w]
        values = resize_map(self.values(pixels), tuple(guide.shape[2:]))  # [B, D, h, w]
        attended = proxy_attention(guide.flatten(2), map_to_tokens(values), beta=self.beta, gamma=self.gamma)
        block = self.clip_model.blocks[-1]
        patches = self.clip_model.finish(block.ls_1(block.attn.out_proj(attended)))  # [B, h*w, E]
        return FeatureMap(tokens_to_map(patches, tuple(guide.shape[2:]))[..., :height, :width])

    def values(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] -> values of CLIP's last block [B, D, h, w] on CLIP's grid, without its class token."""
        patches = walk_to_last(self.clip_model, pixels)[:, 1:]
        values = project_last(self.clip_model, self.clip_model.blocks[-1].ln_1(patches), "v")  # [B, h*w, D]
        return tokens_to_map(values, self.clip_model.grid(pixels))


def walk_to_last(clip_model: CLIPBackbone, pixels: Tensor) -> Tensor:
    """Pixels [B, 3, H, W] -> tokens [B, 1 + h*w, D] that enter the last block."""
    tokens = clip_model.embed(pixels, overshoot=OVERSHOOT)
    for block in clip_model.blocks[:-1]:
        tokens = block(tokens)
    return tokens


def project_last(clip_model: CLIPBackbone, normed: Tensor, part: str) -> Tensor:
    """Tokens [B, N, D] behind the last block's first norm -> its queries, keys or values [B, N, D]."""
    attention = clip_model.blocks[-1].attn
    return project_part(normed, attention.in_proj_weight, attention.in_proj_bias, part)
