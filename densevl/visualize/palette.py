"""Colours of classes: far apart for the eye, and the same for an id whatever the number of classes."""

from __future__ import annotations

import functools

import numpy as np

NO_LABEL_COLOUR = (0, 0, 0)
_DISTINCT = (256, 4096)  # lengths that are worked out (and kept) at once


def palette(num_classes: int) -> np.ndarray:
    """Colours of the classes 0..K-1; colour k is the same for every K. Distinct up to 4096 classes, then they repeat.

    Returns:
        [K, 3] uint8 RGB.
    """
    colours = _spread(_DISTINCT[0] if num_classes <= _DISTINCT[0] else _DISTINCT[1])
    return colours[np.arange(num_classes) % len(colours)]


def png_palette(num_classes: int) -> bytes:
    """The 256 RGB entries of an index PNG of up to 255 classes; ids without a class are NO_LABEL_COLOUR."""
    entries = np.tile(np.uint8(NO_LABEL_COLOUR), (256, 1))
    entries[:num_classes] = palette(num_classes)
    return entries.tobytes()


@functools.cache
def _spread(count: int) -> np.ndarray:
    """[count, 3] uint8: every next colour is the candidate farthest from all before it.

    Source: Glasbey et al., Colour displays for categorical images, 2007; distances in OKLab.
    """
    steps = np.linspace(0, 255, 24).round().astype(np.uint8)
    rgb = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), axis=-1).reshape(-1, 3)
    lab = _oklab(rgb)
    chroma = np.hypot(lab[:, 1], lab[:, 2])
    usable = (lab[:, 0] > 0.4) & (lab[:, 0] < 0.92) & (chroma > 0.05) & (chroma < 0.23)  # no black, white, grey, neon
    rgb, lab = rgb[usable], np.rint(lab[usable].T * 2000).astype(np.float32)  # [3, N]; whole numbers: sums are exact
    chosen = [int(np.argmin(np.abs(rgb.astype(int) - (228, 76, 60)).sum(axis=1)))]  # a friendly red opens
    nearest = np.full(len(rgb), np.inf, dtype=np.float32)
    for _ in range(count - 1):
        away = lab - lab[:, chosen[-1], None]
        np.minimum(nearest, np.einsum("cn,cn->n", away, away), out=nearest)
        chosen.append(int(nearest.argmax()))
    colours = rgb[chosen]
    colours.flags.writeable = False  # kept for the next call
    return colours


def _oklab(rgb: np.ndarray) -> np.ndarray:
    """[N, 3] uint8 sRGB -> [N, 3] OKLab. Source: B. Ottosson, A perceptual color space for image processing, 2020."""
    value = rgb / 255.0
    linear = np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)
    to_lms = np.array(
        [[0.4122214708, 0.5363325363, 0.0514459929], [0.2119034982, 0.6806995451, 0.1073969566],
         [0.0883024619, 0.2817188376, 0.6299787005]]
    )  # fmt: skip
    to_lab = np.array(
        [[0.2104542553, 0.7936177850, -0.0040720468], [1.9779984951, -2.4285922050, 0.4505937099],
         [0.0259040371, 0.7827717662, -0.8086757660]]
    )  # fmt: skip
    return np.cbrt(linear @ to_lms.T) @ to_lab.T
