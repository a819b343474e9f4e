"""Sliding windows over a picture."""

from __future__ import annotations

import torch
from torch import Tensor

from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import ScoreMap
from densevl.ops.taps import apply_taps, bilinear_taps


def window_boxes(height: int, width: int, *, crop: int, stride: int) -> Tensor:
    """Square windows that cover a picture; the last of a row or column is moved back inside, never padded.

    Args:
        height: picture height in pixels.
        width: picture width in pixels.
        crop: side of a window; a picture smaller than that gives windows as high or wide as itself.
        stride: step between windows.

    Returns:
        [W, 4] long, x0 y0 x1 y1, row by row.

    Raises:
        UsageError: crop or stride below 1, or a stride that leaves gaps.
        ShapeError: an empty picture.

    Source: MMSegmentation, EncoderDecoder.slide_inference (the algorithm).
    """
    if min(height, width) < 1:
        raise ShapeError(f"expected a picture of at least 1 x 1 pixel, got {height} x {width}")
    if not 1 <= stride <= crop:
        raise UsageError(f"expected 1 <= stride <= window, got window {crop} and stride {stride}; lower the stride")
    tops, lefts = _starts(height, crop, stride), _starts(width, crop, stride)
    y0, x0 = (grid.flatten() for grid in torch.meshgrid(tops, lefts, indexing="ij"))
    return torch.stack([x0, y0, x0 + min(crop, width), y0 + min(crop, height)], dim=1)  # [W, 4]


def splice_size(height: int, width: int, *, multiple: int, least: int = 1) -> tuple[int, int]:
    """Size that a picture is stretched to before it is cut into windows of whole patches.

    A picture of whole patches stays as it is, however small. Otherwise the longer side grows to the next multiple,
    the other in proportion and up to a multiple, and each side that is smaller than `least` is stretched to it: the
    shape of the picture is not kept then.

    Args:
        height: picture height in pixels.
        width: picture width in pixels.
        multiple: pixels of a patch's side.
        least: pixels a side shall have; of whole patches.

    Returns:
        (H, W), both multiples.

    Source: Shi et al., "Trident", ICCV 2025, code.
    """
    if height % multiple == 0 and width % multiple == 0:
        return height, width
    longer = max(height, width)
    aim = -(-longer // multiple) * multiple
    grown = (int(side * aim / longer) for side in (height, width))
    new_height, new_width = (max(-(-side // multiple) * multiple, least) for side in grown)
    return new_height, new_width


def _starts(length: int, crop: int, stride: int) -> Tensor:
    """First pixels of the windows along one axis, [n] long."""
    count = max(length - crop + stride - 1, 0) // stride + 1
    return (torch.arange(count) * stride).clamp(max=max(length - crop, 0))


def merge_windows(score_map: ScoreMap) -> Tensor:
    """Scores on the canvas, the plain form: windows to their pixels, then the mean over the windows of each pixel.

    Args:
        score_map: scores [W, K, h, w]; without boxes the one map spans the canvas.

    Returns:
        [K, H', W']: for labels use `label_picture`, which does not build it.

    Raises:
        ShapeError: a pixel lies in no window.
    """
    scores, canvas = score_map.scores, score_map.canvas
    boxes = [(0, 0, canvas[1], canvas[0])] if score_map.boxes is None else score_map.boxes.tolist()
    total = scores.new_zeros((scores.shape[1], *canvas))  # [K, H', W']
    hits = torch.zeros(canvas)  # known without the scores, on whatever device they are
    height, width = scores.shape[2:]
    for window, (x0, y0, x1, y1) in zip(scores, boxes, strict=True):
        hits[y0:y1, x0:x1] += 1
        if (height, width) == (y1 - y0, x1 - x0) == tuple(score_map.extent):
            total[:, y0:y1, x0:x1] += window
            continue
        rows = bilinear_taps(y1 - y0, height, height / score_map.extent[0])
        cols = bilinear_taps(x1 - x0, width, width / score_map.extent[1])
        total[:, y0:y1, x0:x1] += apply_taps(window, rows, cols)
    if not bool(hits.all()):
        missed = int((hits == 0).sum())
        raise ShapeError(f"expected windows that cover the canvas {canvas}, {missed} pixels lie in none")
    return total / hits.to(total)


def splice_windows(maps: Tensor, boxes: Tensor) -> Tensor:
    """Windows' maps on one canvas, the mean where they overlap.

    Args:
        maps: [W, D, h, w], on a grid of their own.
        boxes: [W, 4] long, x0 y0 x1 y1 in patches; a patch has as many places on the canvas, side by side, as come
            nearest to the maps' grid, at least one. Maps of another grid are resized, bilinear.

    Returns:
        [D, h', w'].
    """
    x0, y0, x1, y1 = boxes[0].tolist()
    finer = max(1, round(maps.shape[3] / (x1 - x0)))
    canvas = (int(boxes[:, 3].max()) * finer, int(boxes[:, 2].max()) * finer)
    extent = ((y1 - y0) * finer, (x1 - x0) * finer)
    return merge_windows(ScoreMap(maps, canvas=canvas, extent=extent, boxes=boxes * finer))
