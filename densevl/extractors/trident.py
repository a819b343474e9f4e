"""Trident: windows of CLIP and DINO spliced on one canvas, which SAM then sees as a whole."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

from densevl.backbones.clip import CLIPBackbone
from densevl.backbones.dino import DINOBackbone
from densevl.backbones.sam import SAMBackbone
from densevl.core.errors import ConfigError, ShapeError
from densevl.core.structures import FeatureMap
from densevl.data.transforms import resize_picture
from densevl.extractors.self_attention import project_last, walk_to_last
from densevl.ops.attention import mean_cosine, proxy_attention
from densevl.ops.guidance import aggregate_canvas
from densevl.ops.tokens import map_to_tokens, resize_map, tokens_to_map
from densevl.ops.windows import splice_size, splice_windows, window_boxes

_WINDOWS_AT_ONCE = 8


@dataclass(frozen=True)
class TridentGuidance:
    """What DINO and SAM bind together; the published numbers.

    Attributes:
        beta: how far above the mean of all DINO affinities of a picture one must lie.
        gamma: sharpens the softmax over them.
        cos_fac: how far above a place's mean similarity in SAM's values another place must lie.
        refine_neg_cos: leave a negative threshold of SAM as it is; False: 0.6 in its place.
        halves: SAM sees the left and the right half of a picture, each at its full resolution; for very wide ones.
    """

    beta: float = 1.2
    gamma: float = 3.0
    cos_fac: float = 1.2
    refine_neg_cos: bool = True
    halves: bool = False


class TridentExtractor(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> FeatureMap [B, E, h, w] on SAM's grid, not normalised, which spans the picture.

    Windows of the picture go through CLIP up to its last block, which pools its values by what DINO finds alike, as
    in ProxyCLIP; the windows' results are averaged on one canvas. SAM looks at the whole picture: its last attention,
    kept where its values are alike, aggregates the canvas, and CLIP's final projection follows.

    A picture is stretched to multiples of CLIP's patch, and a side below the window to the window, as published. Where
    the published code stops, at pictures one side of which is such a multiple but smaller than the window, windows are
    as small as the picture.

    Source: Shi et al., "Harnessing Vision Foundation Models for High-Performance, Training-Free Open Vocabulary
    Segmentation" (Trident), ICCV 2025.

    Args:
        clip_model: gives the values.
        dino: gives the affinities within a window, as tokens behind its final norm.
        sam: gives the affinities of the whole picture.
        window: side of the windows in pixels, a multiple of CLIP's patch. None: the whole picture is one.
        step: pixels between windows, likewise. None: half a window, in whole patches.
        keep_aspect: no side is stretched to the window; a small picture stays small, whatever its shape.
        guidance: thresholds.

    Raises:
        ConfigError: window or step do not fit CLIP's patches.
    """

    stride = None  # the grid follows SAM's picture, not these pixels
    sees_originals = True

    def __init__(
        self,
        clip_model: CLIPBackbone,
        dino: DINOBackbone,
        sam: SAMBackbone,
        *,
        window: int | None = 336,
        step: int | None = 224,
        keep_aspect: bool = False,
        guidance: TridentGuidance = TridentGuidance(),
    ) -> None:
        super().__init__()
        step = _check_windows(window, step, clip_model.patch_size)
        self.clip_model, self.dino, self.sam = clip_model, dino, sam
        self.window, self.step, self.keep_aspect, self.guidance = window, step, keep_aspect, guidance

    def forward(self, pixels: Tensor, originals: Sequence[np.ndarray] | None = None) -> FeatureMap:
        """Extract; a batch gives what its pictures give one by one.

        Args:
            pixels: [B, 3, H, W].
            originals: the pictures before they were resized to pixels, uint8 RGB [H', W', 3], which SAM sees sharper.
                All of one size. None: it sees the pixels.

        Raises:
            ShapeError: not such pixels, or other originals.
        """
        if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point():
            raise ShapeError(f"expected float pixels [B, 3, H, W] in [0, 1], got {pixels.dtype} {tuple(pixels.shape)}")
        sizes = [original.shape[:2] for original in originals or ()]
        if originals is not None and (len(sizes) != len(pixels) or len(set(sizes)) != 1):
            raise ShapeError(f"expected {len(pixels)} originals of one size for as many pictures, got {sizes}")
        maps = []
        for index, picture in enumerate(pixels.split(1)):
            canvas = self.splice(picture)
            views = self.sam_views(picture, None if originals is None else originals[index])
            maps.append(self.clip_model.finish(self.aggregate(canvas, views)))  # [h, w, E]
        return FeatureMap(rearrange(torch.stack(maps), "b h w d -> b d h w"))

    def splice(self, pixels: Tensor) -> Tensor:
        """One picture [1, 3, H, W] -> CLIP's values, pooled by DINO window by window, on one canvas [D, h, w]."""
        patch = self.clip_model.patch_size
        least = 1 if self.keep_aspect or self.window is None else self.window
        size = splice_size(pixels.shape[2], pixels.shape[3], multiple=patch, least=least)
        pixels = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
        boxes = window_boxes(*size, crop=self.window or max(size), stride=self.step or max(size))
        windows = torch.cat([pixels[:, :, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes.tolist()])  # [W, 3, S, S]
        maps = self.pool_windows(windows)
        return splice_windows(maps, boxes // patch)

    def pool_windows(self, windows: Tensor) -> Tensor:
        """All windows [W, 3, S, S] of one picture -> [W, D, h, w] on DINO's grid, behind CLIP's output projection."""
        values = torch.cat([self.values(part) for part in windows.split(_WINDOWS_AT_ONCE)])  # [W, D, h', w']
        guide = self.window_guide(windows)
        return pool_by_guide(self.clip_model, values, guide, beta=self.guidance.beta, gamma=self.guidance.gamma)

    def window_guide(self, windows: Tensor) -> Tensor:
        """Windows [W, 3, S, S], resized to whole patches of DINO's -> its tokens [W, G, h, w]."""
        patch = self.dino.patch_size
        fitted = tuple(max(1, side // patch) * patch for side in windows.shape[2:])
        seen = resize_map(windows, fitted)
        return torch.cat([self.dino.features(part, "tokens") for part in seen.split(_WINDOWS_AT_ONCE)])

    def values(self, windows: Tensor) -> Tensor:
        """Windows [W, 3, S, S] -> values of CLIP's last block [W, D, h, w], no token seeing the class token there."""
        patches = walk_to_last(self.clip_model, windows)[:, 1:]
        values = project_last(self.clip_model, self.clip_model.blocks[-1].ln_1(patches), "v")
        return tokens_to_map(values, self.clip_model.grid(windows))

    def sam_views(self, pixels: Tensor, original: np.ndarray | None = None) -> list[Tensor]:
        """What SAM sees of a picture: pixels [1, 3, H', W'], one view or two halves, the longer side SAM's own."""
        patch = self.clip_model.patch_size
        height, width = pixels.shape[2:] if original is None else original.shape[:2]
        size = (-(-height // patch) * patch, -(-width // patch) * patch)
        count = 2 if self.guidance.halves else 1
        if pixels.is_meta:
            fitted = self.sam.fitted_size(size[0], size[1] // count)
            return [pixels.new_empty((1, 3, *fitted)) for _ in range(count)]
        picture = resize_picture(_to_picture(pixels) if original is None else original, size)
        return [self.sam.fit(np.ascontiguousarray(view)) for view in np.array_split(picture, count, axis=1)]

    def aggregate(self, canvas: Tensor, views: Sequence[Tensor]) -> Tensor:
        """Canvas [D, h, w] of what `views` show from left to right -> [h', w', D] on SAM's grid, side by side."""
        return aggregate_canvas(canvas, (self.bonds(view) for view in views), count=len(views), **self.thresholds)

    def bonds(self, view: Tensor) -> tuple[Iterator[Tensor], Tensor]:
        """SAM's view [1, 3, H', W'] -> last attention, [heads, w, M] a row of the grid, and values [heads, h, w, d]."""
        height, width = grid = self.sam.valid_grid(view)
        last = self.sam.last_attention(self.sam.walk(view))
        return last.flat_rows(grid), last.values[0, :, :height, :width]

    @property
    def thresholds(self) -> dict[str, Any]:
        """Of SAM's bonds, as `ops.guidance` takes them."""
        return {"factor": self.guidance.cos_fac, "keep_negative": self.guidance.refine_neg_cos}


def pool_by_guide(clip_model: CLIPBackbone, values: Tensor, guide: Tensor, *, beta: float, gamma: float) -> Tensor:
    """Windows' values pooled by what the guide finds alike, through CLIP's last output projection.

    Args:
        clip_model: whose values they are.
        values: [W, D, h', w'] of all windows of one picture.
        guide: [W, G, h, w]; the mean affinity is taken over all windows together.
        beta: see `TridentGuidance`.
        gamma: likewise.

    Returns:
        [W, D, h, w].
    """
    grid = (guide.shape[2], guide.shape[3])
    guide = guide.flatten(2)
    tokens = map_to_tokens(resize_map(values, grid))  # [W, h*w, D]
    pooled = proxy_attention(guide, tokens, beta=beta, gamma=gamma, mean=mean_cosine(guide).mean())
    block = clip_model.blocks[-1]
    return tokens_to_map(block.ls_1(block.attn.out_proj(pooled)), grid)


def _check_windows(window: int | None, step: int | None, patch: int) -> int | None:
    """The step in force; None where the whole picture is one window."""
    if window is None and step is not None:
        raise ConfigError(f"a step of {step} px needs a window")
    if window is None:
        return None
    step = max(1, window // 2 // patch) * patch if step is None else step
    if window % patch or step % patch or not 0 < step <= window:
        raise ConfigError(
            f"expected window and step in multiples of CLIP's patch of {patch} px, the step no larger than the "
            f"window, got window {window} and step {step}"
        )
    return step


def _to_picture(pixels: Tensor) -> np.ndarray:
    """Pixels [1, 3, H, W] in [0, 1] -> uint8 RGB [H, W, 3]; exact where they came from one."""
    levels = (pixels[0].float() * 255).round().clamp(0, 255)
    return levels.byte().permute(1, 2, 0).contiguous().cpu().numpy()
