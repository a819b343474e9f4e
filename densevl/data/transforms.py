"""From a picture to pixels: the papers' resize rule and the float tensor that backbones take."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from densevl.core.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from torch import Tensor


def fit_size(height: int, width: int, *, short_side: int, longest_side: int) -> tuple[int, int]:
    """Size of a picture scaled to a short side, or to a longest side where that is smaller; the shape is kept.

    Args:
        height: rows of the picture.
        width: columns of the picture.
        short_side: pixels the shorter side shall have.
        longest_side: pixels the longer side may have at most.

    Returns:
        (h, w) with s = min(longest_side / max, short_side / min) and each side int(side * s + 0.5), at least 1.

    Raises:
        UsageError: a side to fit into is below 1 pixel.
        ShapeError: the picture has no pixels.

    Source: mmsegmentation `Resize(scale=(2048, 448), keep_ratio=True)`, the rule of the published tables.
    """
    if short_side < 1 or longest_side < 1:
        raise UsageError(f"short_side {short_side} and longest_side {longest_side} must be at least 1 pixel")
    if height < 1 or width < 1:
        raise ShapeError(f"expected a picture of at least 1x1 pixels, got {height}x{width}")
    scale = min(longest_side / max(height, width), short_side / min(height, width))
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize by plain bilinear interpolation, without a low-pass filter, as the papers do.

    Args:
        picture: [H, W, 3] uint8 RGB.
        size: (h, w) in pixels.

    Returns:
        [h, w, 3] uint8; the picture itself where it has that size.

    Raises:
        ShapeError: it is no uint8 RGB picture.
    """
    import mmcv

    _check_picture(picture)
    if picture.shape[:2] == tuple(size):
        return picture
    resized: np.ndarray = mmcv.imresize(picture, (size[1], size[0]), interpolation="bilinear", backend="cv2")
    return resized


def to_pixels(picture: np.ndarray, device: Any = None) -> Tensor:
    """A picture as the tensor that extractors take.

    Args:
        picture: [H, W, 3] uint8 RGB.
        device: where the tensor shall be; the CPU if None.

    Returns:
        [1, 3, H, W] float32 in [0, 1].

    Raises:
        ShapeError: it is no uint8 RGB picture.
    """
    import torch

    _check_picture(picture)
    writable = np.require(picture, requirements=["C", "W"])  # torch shares memory with writable arrays only
    pixels = torch.from_numpy(writable).to(device)  # [H, W, 3] bytes travel, not floats
    return pixels.permute(2, 0, 1)[None].contiguous().float().div_(255)  # [1, 3, H, W]


def _check_picture(picture: np.ndarray) -> None:
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
        raise ShapeError(f"expected a picture [H, W, 3] uint8 RGB, got {picture.dtype} {list(picture.shape)}")
