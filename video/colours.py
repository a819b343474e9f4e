"""Random changes of colour and of pixels in training clips: uint8 or float [T, 3, H, W]."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

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


def jitter_colours(frames: Tensor, *, rng: Draws, strengths: JitterStrengths | None = None) -> Tensor:
    """Change brightness, contrast, saturation and hue in a drawn order, drawn anew for every frame.

    Args:
        frames: [T, 3, H, W] uint8 RGB, or float in [0, 1].
        rng: a seeded generator; eight draws a frame.
        strengths: how far the colours may change; those of the papers if None.

    Returns:
        [T, 3, H, W] of the same kind.

    Source: X-CLIP (ECCV 2022), the released training pipeline.
    """
    import torch
    from torchvision.transforms import functional as change

    steps = (change.adjust_brightness, change.adjust_contrast, change.adjust_saturation, change.adjust_hue)
    *widths, hue = strengths or JitterStrengths()
    changed = []
    for frame in frames:
        amounts = [rng.uniform(max(0.0, 1 - width), 1 + width) for width in widths] + [rng.uniform(-hue, hue)]
        for index in np.argsort([rng.random() for _ in steps]):
            frame = steps[index](frame, amounts[index])
        changed.append(frame)
    return torch.stack(changed)


def to_gray(frames: Tensor) -> Tensor:
    """The brightness of every pixel in all three channels.

    Args:
        frames: [..., 3, H, W] uint8 or float RGB.

    Returns:
        [..., 3, H, W] of the same kind.

    Source: ITU-R BT.601, luma.
    """
    from torchvision.transforms.functional import rgb_to_grayscale

    gray: Tensor = rgb_to_grayscale(frames, num_output_channels=3)
    return gray


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
