"""Random changes of colour and of pixels in training clips, on uint8 frames as decoded."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

import cv2
import numpy as np

from video.draws import Draws, draw_below

if TYPE_CHECKING:
    from torch import Tensor


class JitterStrengths(NamedTuple):
    """Widest change of brightness, contrast and saturation as a factor around 1, and of hue as a part of the circle."""

    brightness: float = 0.4
    contrast: float = 0.4
    saturation: float = 0.2
    hue: float = 0.1


def jitter_colours(frames: np.ndarray, *, rng: Draws, strengths: JitterStrengths | None = None) -> np.ndarray:
    """Change brightness, contrast, saturation and hue in a drawn order, drawn anew for every frame.

    Args:
        frames: [T, H, W, 3] uint8 RGB; not changed.
        rng: a seeded generator; eight draws a frame.
        strengths: how far the colours may change; those of the papers if None.

    Returns:
        [T, H, W, 3] uint8.

    Source: X-CLIP (ECCV 2022), the released training pipeline; the four changes are those of torchvision's ColorJitter.
    """
    *widths, hue = strengths or JitterStrengths()
    changed = []
    for frame in frames:
        amounts = [rng.uniform(max(0.0, 1 - width), 1 + width) for width in widths] + [rng.uniform(-hue, hue)]
        for index in np.argsort([rng.random() for _ in amounts]):
            frame = _CHANGES[index](frame, amounts[index])
        changed.append(frame)
    return np.stack(changed)


def to_gray(frames: np.ndarray) -> np.ndarray:
    """The brightness of every pixel in all three channels.

    Args:
        frames: [..., H, W, 3] uint8 RGB.

    Returns:
        [..., H, W, 3] uint8.

    Source: ITU-R BT.601, luma.
    """
    flat = frames.reshape(-1, *frames.shape[-2:])  # [n * H, W, 3]
    return cv2.cvtColor(cv2.cvtColor(flat, cv2.COLOR_RGB2GRAY), cv2.COLOR_GRAY2RGB).reshape(frames.shape)


def _brightness(frame: np.ndarray, factor: float) -> np.ndarray:
    return _blend(frame, np.zeros_like(frame), factor)


def _contrast(frame: np.ndarray, factor: float) -> np.ndarray:
    return _blend(frame, np.full_like(frame, round(to_gray(frame)[..., 0].mean())), factor)


def _saturation(frame: np.ndarray, factor: float) -> np.ndarray:
    return _blend(frame, to_gray(frame), factor)


def _hue(frame: np.ndarray, turn: float) -> np.ndarray:
    steps = round(turn * 256) % 256
    if steps == 0:  # the way through HSV and back costs a few levels
        return frame
    hsv = cv2.cvtColor(frame, cv2.COLOR_RGB2HSV_FULL)  # the whole circle is 256 steps, so that uint8 turns by itself
    hsv[..., 0] += np.uint8(steps)
    return cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB_FULL)


def _blend(frame: np.ndarray, other: np.ndarray, factor: float) -> np.ndarray:
    """`other` at factor 0, the frame at 1, beyond the frame above; rounded, and held within uint8."""
    return cv2.addWeighted(frame, factor, other, 1 - factor, 0)


_CHANGES = (_brightness, _contrast, _saturation, _hue)


def erase_box(frames: Tensor, *, rng: Draws) -> Tensor:
    """Set one drawn box to 0, the same in all frames; on normalised pixels 0 is the mean colour.

    Args:
        frames: [T, C, H, W]; not changed.
        rng: a seeded generator.

    Returns:
        [T, C, H, W]; a copy, or the frames themselves where ten drawn boxes were all too large.

    Source: Zhong et al., AAAI 2020, algorithm 1: area 2 to 33 % of the frame, sides 0.3 to 3.3 to each other, here with
    their ratio drawn evenly on the log scale.
    """
    height, width = frames.shape[-2:]
    for _ in range(10):
        area = rng.uniform(0.02, 1 / 3) * height * width
        ratio = math.exp(rng.uniform(math.log(0.3), math.log(1 / 0.3)))
        rows, columns = round(math.sqrt(area * ratio)), round(math.sqrt(area / ratio))
        if 0 < rows < height and 0 < columns < width:
            top, left = draw_below(rng, np.array([height - rows + 1, width - columns + 1])).tolist()
            erased = frames.clone()
            erased[..., top : top + rows, left : left + columns] = 0
            return erased
    return frames
