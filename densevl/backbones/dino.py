"""DINO, DINOv2, DINOv3: a view on timm's own ViT. `embed`, `blocks` and `finish` are its forward pass, cut in three."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.backbones.dino_keys import PERIODS, to_timm_keys
from densevl.backbones.dino_models import make_vit, require_plain_vit
from densevl.core.errors import ShapeError, UnknownNameError, UsageError, WeightsError
from densevl.ops.tokens import map_to_tokens, pad_to_multiple, tokens_to_map
from densevl.weights import load_strict

if TYPE_CHECKING:
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

# Source: He et al., "Deep Residual Learning for Image Recognition", CVPR 2016, code; kept by DINO, DINOv2 and DINOv3
IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)

_PROJECTIONS = ("q", "k", "v")  # in the order of the fused projection
KINDS = (*_PROJECTIONS, "tokens")


class DINOBackbone(nn.Module):
    """A self-supervised ViT: pixels -> tokens, or the map of one block's queries, keys, values or tokens.

    The whole tower is `tokens = embed(pixels)`, `for block in blocks: tokens = block(tokens, **rotation(grid))`,
    `finish(tokens)`. Frozen and in eval mode when made.

    Args:
        vit: timm's model; it stays as it is.
        mean: of R, G, B in [0, 1], as the weights were trained.
        std: likewise.

    Raises:
        UsageError: not a ViT with one fused projection for query, key and value.
    """

    def __init__(
        self,
        vit: VisionTransformer | Eva,
        *,
        mean: Sequence[float] = IMAGENET_MEAN,
        std: Sequence[float] = IMAGENET_STD,
    ) -> None:
        super().__init__()
        require_plain_vit(vit)
        self.vit = vit
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @classmethod
    def from_config(cls, cfg: Mapping[str, Any], state_dict: Mapping[str, Any]) -> DINOBackbone:
        """Build from a config and weights; every tensor must be there and fit.

        Args:
            cfg: `{"timm": name}` for a model of timm, such as vit_base_patch16_224.dino; other keys beside go to its
                constructor. Or the sizes of a DINO v1 ViT: `{"patch", "dim", "depth", "heads", "native_img",
                "ln_eps"}`, the last one 1e-6 where it is absent.
            state_dict: the weights in timm's names or facebookresearch's, also a training checkpoint that holds them
                under `teacher` or `student`; they are copied to float32.

        Raises:
            UnknownNameError: timm has no such model.
            ConfigError: the config is faulty.
            UsageError: the model is no plain ViT.
            WeightsError: the weights do not fit.
        """
        vit = make_vit(cfg)
        published = getattr(vit, "pretrained_cfg", {})
        backbone = cls(vit, mean=published.get("mean", IMAGENET_MEAN), std=published.get("std", IMAGENET_STD))
        weights = to_timm_keys(state_dict, vit.state_dict().keys())
        periods = weights.pop(PERIODS, None)
        load_strict(vit, weights, name="DINO")
        if periods is not None:  # the published ones are rounded to bfloat16; timm's are not
            _copy_periods(vit, periods)
        return backbone

    @property
    def blocks(self) -> nn.ModuleList:
        """The blocks of timm: [B, N, D] -> [B, N, D]; each takes `**rotation(grid)` beside."""
        return self.vit.blocks

    @property
    def patch_size(self) -> int:
        """Pixels of a patch's side."""
        return self.vit.patch_embed.patch_size[0]

    @property
    def stride(self) -> int:
        """Pixels between two features: the patch size."""
        return self.patch_size

    @property
    def embed_dim(self) -> int:
        """D, channels of a token, and of queries, keys and values with the heads side by side."""
        return self.vit.embed_dim

    @property
    def depth(self) -> int:
        """How many blocks."""
        return len(self.blocks)

    @property
    def num_heads(self) -> int:
        """Attention heads of a block."""
        return self.blocks[0].attn.num_heads

    @property
    def num_prefix_tokens(self) -> int:
        """Tokens before the patches: the class token and the registers."""
        return self.vit.num_prefix_tokens

    @property
    def native_grid(self) -> tuple[int, int]:
        """(rows, columns) of the position table."""
        return self.vit.patch_embed.grid_size

    def grid(self, pixels: Tensor) -> tuple[int, int]:
        """(h, w) patches of [B, 3, H, W], the last ones padded."""
        height, width = pixels.shape[-2:]
        return math.ceil(height / self.patch_size), math.ceil(width / self.patch_size)

    def normalise(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] -> the same shape, as the tower was trained."""
        return (pixels - self.mean) / self.std

    def embed(self, pixels: Tensor) -> Tensor:
        """Pixels -> the tokens that enter the first block.

        Args:
            pixels: [B, 3, H, W] float in [0, 1], RGB. Padded with black at the bottom and right to whole patches.

        Returns:
            [B, prefix + h*w, D]: class token, registers, patches row by row.

        Raises:
            ShapeError: not such a tensor.
        """
        if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point():
            raise ShapeError(f"expected float pixels [B, 3, H, W] in [0, 1], got {pixels.dtype} {tuple(pixels.shape)}")
        vit = self.vit
        padded = self.normalise(pad_to_multiple(pixels, self.patch_size)).to(vit.patch_embed.proj.weight.dtype)
        patches = vit.patch_embed.proj(padded).flatten(2).transpose(1, 2)  # [B, h*w, D]
        first = [token.expand(len(patches), -1, -1) for token in (vit.cls_token, vit.reg_token) if token is not None]
        tokens = torch.cat([*first, vit.patch_embed.norm(patches)], dim=1)  # [B, prefix + h*w, D]
        if vit.pos_embed is not None:
            tokens = tokens + self._position_table(self.grid(pixels))
        return vit.norm_pre(tokens)

    def rotation(self, grid: tuple[int, int]) -> dict[str, Tensor]:
        """What a block takes beside its tokens [B, prefix + h*w, D]: DINOv3's rotary angles; otherwise nothing."""
        return {} if getattr(self.vit, "rope", None) is None else {"rope": self.vit.rope.get_embed(shape=list(grid))}

    def finish(self, tokens: Tensor) -> Tensor:
        """Tokens [..., D] after a block -> [..., D] after the final norm."""
        return self.vit.norm(tokens)

    def features(self, pixels: Tensor, kind: str, *, block: int = -1) -> Tensor:
        """One map of one block; blocks behind it are not run, and of its projection only the part asked for.

        Args:
            pixels: [B, 3, H, W] float in [0, 1], any size.
            kind: `q`, `k` or `v`: this part of the block's fused projection, bias included, heads side by side,
                before any rotation. `tokens`: what leaves the block, after the final norm.
            block: which block, from 0; -1 is the last.

        Returns:
            [B, D, h, w], class token and registers dropped, not normalised.

        Raises:
            ShapeError: not such pixels.
            UnknownNameError: no such kind.
            UsageError: no such block.
        """
        if kind not in KINDS:
            raise UnknownNameError("kind of DINO features", kind, KINDS)
        if not -self.depth <= block < self.depth:
            raise UsageError(f"block {block} of a DINO with {self.depth} blocks: give {-self.depth}..{self.depth - 1}")
        grid = self.grid(pixels)
        rotation = self.rotation(grid)
        tokens = self.embed(pixels)  # [B, prefix + h*w, D]
        index = block % self.depth
        for step in self.blocks[:index]:
            tokens = step(tokens, **rotation)
        last = self.blocks[index]
        if kind == "tokens":
            patches = self.finish(last(tokens, **rotation)[:, self.num_prefix_tokens :])
        else:
            patches = _project(last, tokens[:, self.num_prefix_tokens :], kind)
        return tokens_to_map(patches, grid)  # [B, D, h, w]

    def _position_table(self, grid: tuple[int, int]) -> Tensor:
        """[1, prefix + h*w, D]; 0 for tokens that the table has no row for. Always made from the original."""
        table = self.vit.pos_embed
        rows, cols = self.native_grid
        class_rows = table.shape[1] - rows * cols
        if tuple(grid) != (rows, cols):
            patches = tokens_to_map(table[:, class_rows:].float(), (rows, cols))
            patches = _resize_positions(patches, grid, exact=self.vit.reg_token is not None)
            table = torch.cat([table[:, :class_rows], map_to_tokens(patches).to(table.dtype)], dim=1)
        return F.pad(table, (0, 0, self.num_prefix_tokens - class_rows, 0))


def _resize_positions(patches: Tensor, grid: tuple[int, int], *, exact: bool) -> Tensor:
    """Position map [1, D, gh, gw] -> [1, D, h, w], bicubic.

    DINO and DINOv2 aim a tenth of a patch beyond the grid, and the coordinates follow that scale, not the sizes;
    DINOv2 with registers aims at the size itself, with antialiasing.

    Source: Caron et al., "Emerging Properties in Self-Supervised Vision Transformers", ICCV 2021, code; Darcet et al.,
    "Vision Transformers Need Registers", ICLR 2024, code.
    """
    if exact:
        return F.interpolate(patches, size=tuple(grid), mode="bicubic", align_corners=False, antialias=True)
    scale = tuple((wanted + 0.1) / native for wanted, native in zip(grid, patches.shape[2:], strict=True))
    return F.interpolate(patches, scale_factor=scale, mode="bicubic", align_corners=False)


def _project(block: nn.Module, tokens: Tensor, kind: str) -> Tensor:
    """Tokens [B, N, D] before a block -> its queries, keys or values [B, N, D]; the other two are never computed."""
    attention = block.attn
    weight = attention.qkv.weight.chunk(3)[_PROJECTIONS.index(kind)]
    if attention.qkv.bias is not None:
        bias = attention.qkv.bias.chunk(3)[_PROJECTIONS.index(kind)]
    else:
        bias = getattr(attention, f"{kind}_bias", None)  # DINOv3 keeps them apart, the key's 0
    return F.linear(block.norm1(tokens), weight, bias)


def _copy_periods(vit: nn.Module, periods: Tensor) -> None:
    rope = getattr(vit, "rope", None)
    if rope is None or rope.periods.shape != periods.shape:
        own = "none" if rope is None else list(rope.periods.shape)
        raise WeightsError(f"DINO does not fit the model: rotary periods {list(periods.shape)}, the model has {own}")
    rope.periods.copy_(periods)
