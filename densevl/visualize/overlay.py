"""Labels over their picture: a colour a class, thin borders, and a legend that hides nothing."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from densevl.core.errors import ShapeError, UsageError
from densevl.visualize.legend import LegendRow, attach_legend
from densevl.visualize.palette import palette

_MOST_ROWS = 20
_MOST_PIXELS, _LONGEST, _SHORTEST, _SMALL = 2_000_000, 4096, 16, 256


def draw_overlay(
    picture: np.ndarray, label_map: np.ndarray, class_names: Sequence[str], *, alpha: float = 0.5
) -> np.ndarray:
    """Lay the colours of the labels over a picture and add a legend of the classes in it, the largest first.

    Args:
        picture: [H, W, 3] uint8 RGB.
        label_map: [H, W] integer ids; what is no index into `class_names` has no label and stays plain.
        class_names: K names.
        alpha: weight of the colour, 0..1.

    Returns:
        [H', W', 3] uint8 RGB. The picture in it has at most 2 megapixels and 4096 pixels a side; one smaller than
        256 is enlarged.

    Raises:
        ShapeError: picture and labels do not fit.
        UsageError: alpha is not in 0..1.
    """
    if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or label_map.shape != picture.shape[:2]:
        came = f"{picture.dtype} {list(picture.shape)} and {list(label_map.shape)}"
        raise ShapeError(f"expected a picture [H, W, 3] uint8 and labels [H, W], got {came}")
    if not 0 <= alpha <= 1:
        raise UsageError(f"alpha must be in 0..1, got {alpha}")
    label_map = label_map.astype(np.uint16)
    counts = np.bincount(label_map.ravel(), minlength=len(class_names))[: len(class_names)]
    size = _display_size(*label_map.shape)
    shrinks = size[0] * size[1] < label_map.size
    picture = _resize(picture, size, cv2.INTER_AREA if shrinks else cv2.INTER_NEAREST)
    ids = _resize(label_map, size, cv2.INTER_NEAREST)
    drawing = _blend(picture, ids, palette(len(class_names)), alpha)
    return attach_legend(drawing, _legend_rows(counts, label_map.size, class_names))


def _display_size(height: int, width: int) -> tuple[int, int]:
    scale = min(1.0, (_MOST_PIXELS / (height * width)) ** 0.5, _LONGEST / max(height, width))
    if max(height, width) < _SMALL:
        scale = _SMALL // max(height, width)
    return max(_SHORTEST, round(height * scale)), max(_SHORTEST, round(width * scale))


def _resize(image: np.ndarray, size: tuple[int, int], interpolation: int) -> np.ndarray:
    return image if image.shape[:2] == size else cv2.resize(image, size[::-1], interpolation=interpolation)


def _blend(picture: np.ndarray, ids: np.ndarray, colours: np.ndarray, alpha: float) -> np.ndarray:
    """[H, W, 3]: colour over picture; the pixels at a border of two regions in the full colour, darkened."""
    table = np.zeros((65536, 3), dtype=np.uint8)
    table[: len(colours)] = colours
    paint = table[ids]  # [H, W, 3]
    mixed = cv2.addWeighted(picture, 1 - alpha, paint, alpha, 0)
    border = np.zeros(ids.shape, dtype=bool)
    border[:, :-1] |= ids[:, 1:] != ids[:, :-1]
    border[:-1] |= ids[1:] != ids[:-1]
    mixed[border] = paint[border] // 2
    plain = (ids >= len(colours)) & ~border
    mixed[plain] = picture[plain]
    return mixed


def _legend_rows(counts: np.ndarray, pixels: int, class_names: Sequence[str]) -> list[LegendRow]:
    colours = palette(len(class_names))
    present = [int(k) for k in np.argsort(-counts, kind="stable") if counts[k]]
    rows = [
        LegendRow(tuple(colours[k].tolist()), class_names[k], _percent(counts[k] / pixels))
        for k in present[:_MOST_ROWS]
    ]
    if len(present) > _MOST_ROWS:
        rest = counts[present[_MOST_ROWS:]].sum()
        rows.append(LegendRow(None, f"+{len(present) - _MOST_ROWS} more", _percent(rest / pixels)))
    unlabelled = pixels - counts.sum()
    if unlabelled:
        rows.append(LegendRow(None, "no label", _percent(unlabelled / pixels)))
    return rows


def _percent(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"
