"""Tokens and grids: padding to whole patches, [B, L, D] <-> [B, D, h, w], and the position table at another size."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor

from densevl.core.errors import ShapeError


def pad_to_multiple(pixels: Tensor, multiple: int) -> Tensor:
    """Pad [B, C, H, W] with zeros at the bottom and right until H and W are multiples of `multiple`."""
    height, width = pixels.shape[-2:]
    return F.pad(pixels, (0, -width % multiple, 0, -height % multiple))  # [B, C, H', W']


def tokens_to_map(tokens: Tensor, grid: tuple[int, int]) -> Tensor:
    """Patch tokens [B, h*w, D], without class token, row by row -> map [B, D, h, w].

    Raises:
        ShapeError: the number of tokens is not h * w.
    """
    if tokens.ndim != 3 or tokens.shape[1] != grid[0] * grid[1]:
        raise ShapeError(f"expected tokens [B, {grid[0]}*{grid[1]}, D], got {tuple(tokens.shape)}")
    return rearrange(tokens, "b (h w) d -> b d h w", h=grid[0])


def map_to_tokens(feature_map: Tensor) -> Tensor:
    """Map [B, D, h, w] -> patch tokens [B, h*w, D], row by row."""
    return rearrange(feature_map, "b d h w -> b (h w) d")


def causal_mask(tokens: Tensor) -> Tensor:
    """[L, L] for tokens [B, L, D]: 0 where a token may look, at itself and before it, else minus infinity."""
    length = tokens.shape[1]
    return torch.full((length, length), -torch.inf, device=tokens.device, dtype=tokens.dtype).triu(1)


def resize_map(feature_map: Tensor, grid: tuple[int, int]) -> Tensor:
    """Map [B, D, h, w] on another grid, bilinear without aligned corners; as it is where it has that grid."""
    if tuple(feature_map.shape[2:]) == tuple(grid):
        return feature_map
    return F.interpolate(feature_map, size=tuple(grid), mode="bilinear", align_corners=False)


def resize_position_table(
    table: Tensor, grid: tuple[int, int], native_grid: tuple[int, int], *, overshoot: float = 0.0
) -> Tensor:
    """Position table of a ViT at another grid; the class row is kept as it is.

    Bicubic, align_corners=False, no antialias; computed in float32 and returned in the table's dtype.

    Args:
        table: [1 + gh*gw, D], the class row first; always the original, never one resized before.
        grid: (h, w) wanted.
        native_grid: (gh, gw) of the table.
        overshoot: patches that the scale aims beyond the grid, 0.1 in SCLIP's family, which took it from DINO: the
            coordinates follow that scale, not the sizes.

    Returns:
        [1 + h*w, D].

    Raises:
        ShapeError: the table has not 1 + gh*gw rows.
    """
    native_h, native_w = native_grid
    if table.ndim != 2 or table.shape[0] != 1 + native_h * native_w:
        raise ShapeError(f"expected a position table [1 + {native_h}*{native_w}, D], got {tuple(table.shape)}")
    if tuple(grid) == tuple(native_grid):
        return table
    patches = rearrange(table[1:].float(), "(h w) d -> 1 d h w", h=native_h)
    if overshoot:
        scale = tuple((wanted + overshoot) / native for wanted, native in zip(grid, native_grid, strict=True))
        patches = F.interpolate(patches, scale_factor=scale, mode="bicubic", align_corners=False)  # [1, D, h, w]
    else:
        patches = F.interpolate(patches, size=tuple(grid), mode="bicubic", align_corners=False)  # [1, D, h, w]
    return torch.cat([table[:1], map_to_tokens(patches)[0].to(table.dtype)])  # [1 + h*w, D]
