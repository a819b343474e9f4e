"""SAM: a view on segment_anything's own model. `embed`, `blocks` and `finish` are its encoder, cut in three."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.backbones.dino import IMAGENET_MEAN, IMAGENET_STD
from densevl.backbones.sam_attention import RowAttention, run_block
from densevl.backbones.sam_models import make_sam, require_size, sizes_of
from densevl.backbones.sam_walks import RecentWalks
from densevl.core.errors import ShapeError
from densevl.data.transforms import to_pixels
from densevl.weights import load_strict

if TYPE_CHECKING:
    from segment_anything.modeling import Sam

Points = tuple[Tensor, Tensor]


class SAMBackbone(nn.Module):
    """Segment Anything: pixels -> tokens -> embedding, prompts -> masks.

    The encoder is `tokens = embed(pixels)`, `run_block` over `blocks`, `finish(tokens)`; `walk` stops before the last
    block, whose attention and values `last_attention` gives by rows of queries. Frozen and in eval mode when made.

    Args:
        sam: segment_anything's model; it stays as it is.
    """

    def __init__(self, sam: Sam) -> None:
        super().__init__()
        self.sam = sam
        self._walks = RecentWalks()  # forgotten where the weights are moved, cast or loaded, below
        self.register_buffer("mean", torch.tensor(IMAGENET_MEAN).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(IMAGENET_STD).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @classmethod
    def from_config(cls, cfg: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> SAMBackbone:
        """Build from a config and weights; every tensor must be there and fit.

        Args:
            cfg: `{"sam": "vit_b"}` (vit_l, vit_h), or the encoder's sizes `{"dim", "depth", "heads", "global_idx",
                "window", "img", "patch", "out"}`; the decoder's are read from its tensors.
            state_dict: the weights in segment_anything's names; they are copied to float32.

        Raises:
            UnknownNameError: no such model.
            ConfigError: the config is faulty.
            WeightsError: the weights are of another size or do not fit.
        """
        sizes = sizes_of(cfg)
        require_size(sizes, state_dict)
        sam = make_sam(sizes, state_dict)
        load_strict(sam, state_dict, name="SAM")
        return cls(sam)

    @property
    def blocks(self) -> nn.ModuleList:
        """segment_anything's blocks: [B, h, w, D] -> [B, h, w, D]."""
        return self.sam.image_encoder.blocks

    @property
    def prompt_encoder(self) -> nn.Module:
        """segment_anything's own: points, boxes and masks -> sparse and dense embeddings."""
        return self.sam.prompt_encoder

    @property
    def mask_decoder(self) -> nn.Module:
        """segment_anything's own."""
        return self.sam.mask_decoder

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> SAMBackbone:
        self._walks.clear()
        return super()._apply(fn, recurse)

    def _load_from_state_dict(self, *args: Any, **kwargs: Any) -> None:
        self._walks.clear()
        super()._load_from_state_dict(*args, **kwargs)

    @property
    def image_size(self) -> int:
        """Pixels of the square that the encoder sees; a picture's longer side is brought to that."""
        return self.sam.image_encoder.img_size

    @property
    def patch_size(self) -> int:
        """Pixels of a patch's side."""
        return self.sam.image_encoder.patch_embed.proj.kernel_size[0]

    def fitted_size(self, height: int, width: int) -> tuple[int, int]:
        """(H, W) of a picture whose longer side is brought to `image_size`; no side below a pixel."""
        scale = self.image_size * 1.0 / max(height, width)
        return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))

    def fit(self, picture: np.ndarray) -> Tensor:
        """A picture uint8 RGB [H, W, 3] -> pixels [1, 3, H', W'] in [0, 1], the longer side `image_size`.

        Resized by Pillow with its low-pass filter, as segment_anything's predictor does.
        """
        from PIL import Image

        height, width = self.fitted_size(*picture.shape[:2])
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BILINEAR)
        return to_pixels(np.asarray(resized), self.mean.device)

    def valid_grid(self, pixels: Tensor) -> tuple[int, int]:
        """(h, w) whole patches of [B, 3, H, W]; what lies beyond is padding, at least one is valid."""
        height, width = pixels.shape[-2:]
        return max(1, height // self.patch_size), max(1, width // self.patch_size)

    def normalise(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] -> the same shape, as SAM was trained."""
        return (pixels - self.mean) / self.std

    def embed(self, pixels: Tensor) -> Tensor:
        """Pixels -> the tokens that enter the first block.

        Args:
            pixels: [B, 3, H, W] float in [0, 1], RGB, no side above `image_size`. Padded at the bottom and right with
                the mean colour to the square.

        Returns:
            [B, g, g, D] with g = image_size / patch_size.

        Raises:
            ShapeError: not such a tensor.
        """
        side = self.image_size
        if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point() or max(pixels.shape[2:]) > side:
            came = f"{pixels.dtype} {tuple(pixels.shape)}"
            raise ShapeError(f"expected float pixels [B, 3, H, W] in [0, 1], no side above {side}, got {came}; see fit")
        encoder = self.sam.image_encoder
        height, width = pixels.shape[2:]
        padded = F.pad(self.normalise(pixels), (0, side - width, 0, side - height))
        return encoder.patch_embed(padded.to(encoder.pos_embed.dtype)) + encoder.pos_embed

    def walk(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] through all blocks but the last: tokens [B, g, g, D].

        Those of the last pictures are kept, and the same pixels get them without a second walk: see `RecentWalks`.
        """
        return self._walks.get(pixels, self._walk)

    def _walk(self, pixels: Tensor) -> Tensor:
        tokens = self.embed(pixels)
        for block in self.blocks[:-1]:
            tokens = run_block(block, tokens)
        return tokens

    def last_attention(self, tokens: Tensor) -> RowAttention:
        """The last block's attention and values over tokens [B, g, g, D] that `walk` gave."""
        last = self.blocks[-1]
        return RowAttention.project(last.attn, last.norm1(tokens))

    def finish(self, tokens: Tensor) -> Tensor:
        """Tokens [B, g, g, D] that `walk` gave -> through the last block and the neck: embedding [B, C, g, g]."""
        return self.sam.image_encoder.neck(run_block(self.blocks[-1], tokens).permute(0, 3, 1, 2))

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Pixels [B, 3, H, W] in [0, 1] -> embedding [B, C, g, g], what the decoder looks at."""
        return self.finish(self.walk(pixels))

    def decode(
        self,
        embedding: Tensor,
        *,
        points: Points | None = None,
        boxes: Tensor | None = None,
        masks: Tensor | None = None,
    ) -> tuple[Tensor, Tensor]:
        """Prompts on one picture -> masks at a quarter of `image_size`, and how good SAM thinks they are.

        Args:
            embedding: [1, C, g, g] of the picture.
            points: coordinates x y [n, p, 2] in pixels of the fitted picture, and labels [n, p]: 1 in, 0 out.
            boxes: [n, 4] xyxy, likewise.
            masks: [n, 1, 4g, 4g] logits.

        Returns:
            logits [n, 1, 4g, 4g], above 0 where the mask is; predicted IoU [n, 1].
        """
        sparse, dense = self.prompt_encoder(points=points, boxes=boxes, masks=masks)
        return self.mask_decoder(
            image_embeddings=embedding,
            image_pe=self.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse,
            dense_prompt_embeddings=dense,
            multimask_output=False,
        )

    def upscale(self, logits: Tensor, fitted: tuple[int, int], size: tuple[int, int]) -> Tensor:
        """Mask logits [n, m, 4g, 4g] of a picture fitted to (H', W') -> [n, m, H, W] at another size, bilinear."""
        return self.sam.postprocess_masks(logits, fitted, size)
