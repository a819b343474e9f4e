"""The class map: scores at feature resolution -> labels at picture size, without the [K, H, W] tensor between.

Equal to bilinear interpolation (align_corners=False) and argmax; memory grows with the picture and with the scores,
not with their product. Compiled with numba on the processor, plain torch elsewhere and where numba is absent.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from densevl.core.errors import ShapeError
from densevl.core.structures import WIDEST_8_BIT, ScoreMap
from densevl.ops.taps import Taps, apply_taps, bilinear_taps, cut_tiles, windowed_taps

_BAND_FLOATS = 1 << 22  # scores that are laid out anew at a time: 16 MB
_BLOCK_PIXELS = {"cpu": 64}  # side of a block of the torch path: small prunes well ...
_BLOCK_PIXELS_ELSEWHERE = 256  # ... large keeps a GPU busy

Size = tuple[int, int]
Layout = tuple[Tensor, Taps, Taps]  # scores [I, J, K, h, w] of I x J windows, and the taps of rows and columns


def class_map(
    scores: Tensor, size: Size, *, canvas: Size | None = None, extent: tuple[float, float] | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Label every pixel with the class of the largest interpolated score; the lowest id wins a tie.

    Args:
        scores: [K, h, w], finite.
        size: (H, W) of the labels.
        canvas: (H', W') of the resized picture; needed with `extent`.
        extent: (height, width) in canvas pixels that the grid spans. None: the picture exactly. More than the canvas
            where the extractor padded: equal to interpolating to the padded picture and cropping it.

    Returns:
        labels [H, W] uint8 (uint16 above 255 classes) and confidence [H, W] float32, the winning score.

    Raises:
        ShapeError: scores are no finite [K, h, w], a size is empty, or the extent is smaller than the canvas.
    """
    if scores.ndim != 3:
        raise ShapeError(f"expected scores [K, h, w], got {tuple(scores.shape)}; label one picture at a time")
    return _label(*_lay_out(scores, size, canvas, extent))


def _lay_out(scores: Tensor, size: Size, canvas: Size | None, extent: tuple[float, float] | None) -> Layout:
    """Scores [K, h, w] as [1, 1, K, h, w], and the taps of both axes."""
    _check_size(size)
    axes = []
    for axis, (length, nodes) in enumerate(zip(size, scores.shape[1:], strict=True)):
        scale = nodes / length
        if extent is not None:
            if canvas is None or extent[axis] < canvas[axis]:
                raise ShapeError(f"expected an extent of at least the canvas, got extent {extent}, canvas {canvas}")
            scale = (canvas[axis] / length) * (nodes / extent[axis])
        axes.append(bilinear_taps(length, nodes, scale))
    return scores[None, None], axes[0], axes[1]


def window_class_map(score_map: ScoreMap, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Label a picture whose scores came in windows.

    Equal to: each window bilinear to its extent and cropped to its box, mean over the windows of each canvas pixel,
    canvas bilinear to `size`, argmax.

    Args:
        score_map: scores [W, K, h, w] with boxes of one size in full rows and columns, as `window_boxes` makes them.
        size: (H, W) of the labels.

    Returns:
        labels and confidence as from `class_map`.

    Raises:
        ShapeError: the boxes are no grid, leave a pixel of the canvas out or are larger than the extent.
    """
    if score_map.boxes is None:
        raise ShapeError("expected a score map with boxes, got one without; use class_map or label_picture")
    return _label_classes(score_map, _lay_out_windows(score_map, score_map.boxes, size))


def _lay_out_windows(score_map: ScoreMap, boxes: Tensor, size: Size) -> Layout:
    """Scores of windows [W, K, h, w] as [I, J, K, h, w], and the taps of both axes."""
    _check_size(size)
    tops, lefts, window, order = _window_grid(boxes)
    if any(extent < side for extent, side in zip(score_map.extent, window, strict=True)):
        raise ShapeError(f"expected an extent of at least the window {window}, got {score_map.extent}")
    height, width = score_map.scores.shape[2:]
    rows = windowed_taps(
        size[0], score_map.canvas[0], starts=tops, window=window[0], nodes=height, extent=score_map.extent[0]
    )
    cols = windowed_taps(
        size[1], score_map.canvas[1], starts=lefts, window=window[1], nodes=width, extent=score_map.extent[1]
    )
    scores = score_map.scores
    if not np.array_equal(order, np.arange(len(order))):
        scores = scores[torch.from_numpy(order).to(scores.device)]
    return scores.unflatten(0, (len(tops), len(lefts))), rows, cols  # [I, J, K, h, w]


def label_picture(score_map: ScoreMap, size: Size) -> tuple[np.ndarray, np.ndarray]:
    """Label a picture from its score map, in one step or over windows.

    Args:
        score_map: scores of one picture.
        size: (H, W) of the labels.

    Returns:
        labels [H, W] uint8 (uint16 above 255 classes) and confidence [H, W] float32: the winning score; of logits the
        winner's probability, by the softmax of the interpolated logits of all rows, muted ones too. Where rows are
        queries, the label is the winning query's class.

    Raises:
        ShapeError: as `class_map` and `window_class_map`.
    """
    layout = _lay_out_map(score_map, size)
    labels, best = _label_classes(score_map, layout)
    if score_map.logits:
        best = np.exp(np.minimum(best - _log_total(*layout), 0.0))
    return labels, best


def interpolate_scores(score_map: ScoreMap, size: Size) -> Tensor:
    """The scores that `label_picture` takes the largest of, all rows: for sizes and classes that are few enough.

    Args:
        score_map: scores of one picture.
        size: (H, W) wanted.

    Returns:
        [K, H, W] or, of queries, [Q, H, W] float32.

    Raises:
        ShapeError: as `class_map` and `window_class_map`.
    """
    scores, rows, cols = _lay_out_map(score_map, size)
    return apply_taps(_as_maps(scores.float()), rows, cols)


def log_total(score_map: ScoreMap, size: Size) -> Tensor:
    """The logarithm of the summed exponentials of all rows' interpolated logits: what a softmax divides by.

    Args:
        score_map: logits of one picture.
        size: (H, W) wanted.

    Returns:
        [H, W] float32.

    Raises:
        ShapeError: as `class_map` and `window_class_map`.
    """
    return torch.from_numpy(_log_total(*_lay_out_map(score_map, size))).to(score_map.scores.device)


def _lay_out_map(score_map: ScoreMap, size: Size) -> Layout:
    if score_map.boxes is None:
        return _lay_out(score_map.scores[0], size, score_map.canvas, score_map.extent)
    return _lay_out_windows(score_map, score_map.boxes, size)


def _label_classes(score_map: ScoreMap, layout: Layout) -> tuple[np.ndarray, np.ndarray]:
    """The classes of the winning rows, of those that can win, and their scores."""
    scores, rows, cols = layout
    classes = torch.arange(scores.shape[2]) if score_map.class_index is None else score_map.class_index.cpu()
    if score_map.muted is not None:
        heard = ~score_map.muted.cpu()
        scores, classes = scores[:, :, heard.to(scores.device)], classes[heard]
    winners, best = _label(scores, rows, cols)
    if score_map.class_index is None and score_map.muted is None:
        return winners, best
    kind = np.uint8 if score_map.num_classes <= WIDEST_8_BIT else np.uint16
    return classes.numpy().astype(kind)[winners], best


def _log_total(scores: Tensor, rows: Taps, cols: Taps) -> np.ndarray:
    """Logits of windows [I, J, K, h, w] and the taps of both axes -> [H, W], band by band."""
    grid = _as_maps(scores.detach().float())  # [K, I * h, J * w]
    height = max(1, _BAND_FLOATS // (len(grid) * len(cols.nodes)))
    total = np.empty((len(rows.nodes), len(cols.nodes)), dtype=np.float32)
    for top in range(0, len(total), height):
        nodes, row_taps = _block_taps(rows, slice(top, top + height))
        logits = apply_taps(grid[:, nodes], row_taps, cols)  # [K, n, W]
        total[top : top + height] = logits.logsumexp(dim=0).cpu().numpy()
    return total


def _as_maps(scores: Tensor) -> Tensor:
    """Windows' scores [I, J, K, h, w] -> [K, I * h, J * w]."""
    return scores.permute(2, 0, 3, 1, 4).flatten(3).flatten(1, 2)


def _check_size(size: Size) -> None:
    if len(size) != 2 or min(size) < 1:
        raise ShapeError(f"expected a size (height, width) of at least 1 x 1, got {tuple(size)}")


def _window_grid(boxes: Tensor) -> tuple[np.ndarray, np.ndarray, Size, np.ndarray]:
    """Boxes [W, 4] -> tops [I], lefts [J], window size, and the order [I * J] that sorts the boxes row by row."""
    found = boxes.cpu().numpy()
    tops, lefts = np.unique(found[:, 1]), np.unique(found[:, 0])
    order = np.lexsort((found[:, 0], found[:, 1]))
    window = (int(found[0, 3] - found[0, 1]), int(found[0, 2] - found[0, 0]))
    x0, y0 = np.tile(lefts, len(tops)), np.repeat(tops, len(lefts))
    whole = np.stack([x0, y0, x0 + window[1], y0 + window[0]], axis=1)
    if not np.array_equal(found[order], whole):
        raise ShapeError("expected boxes of one size in full rows and columns; make them with window_boxes")
    return tops, lefts, window, order


def _label(scores: Tensor, rows: Taps, cols: Taps) -> tuple[np.ndarray, np.ndarray]:
    """Scores [I, J, K, h, w] and the taps of both axes -> labels and confidence."""
    if 0 in scores.shape or not bool(torch.isfinite(scores.sum(dtype=torch.float32))):
        raise ShapeError(f"expected finite scores of at least one class, got {tuple(scores.shape)} with NaN or inf")
    scores = scores.detach().float()
    size = (len(rows.nodes), len(cols.nodes))
    labels = np.empty(size, dtype=np.uint8 if scores.shape[2] <= WIDEST_8_BIT else np.uint16)
    confidence = np.empty(size, dtype=np.float32)
    label = _label_compiled if scores.device.type == "cpu" and _has_numba() else _label_blocks
    label(scores, (rows, cols), labels, confidence)
    return labels, confidence


def _has_numba() -> bool:
    try:
        import numba  # noqa: F401
    except ImportError:
        return False
    return True


def _label_compiled(scores: Tensor, axes: tuple[Taps, Taps], labels: np.ndarray, confidence: np.ndarray) -> None:
    """Fill labels and confidence with the compiled kernel, in bands of tiles that bound the memory."""
    from densevl.ops.kernels import fill_class_map

    rows, cols = (cut_tiles(taps) for taps in axes)
    _, strips, classes, height, width = scores.shape
    grid = scores.numpy().transpose(0, 3, 1, 4, 2)  # [I, h, J, w, K]
    tiles = max(1, _BAND_FLOATS // (strips * width * classes * rows.nodes.shape[1]))
    for first in range(0, len(rows.nodes), tiles):
        band = slice(first, first + tiles)
        nodes, places = np.unique(rows.nodes[band], return_inverse=True)
        values = np.empty((len(nodes), strips, width, classes), dtype=np.float32)
        for row, node in zip(values, nodes, strict=True):
            row[:] = grid[node // height, node % height]
        fill_class_map(
            values.reshape(len(nodes), -1, classes),  # [n, J * w, K]
            (rows.starts[first : first + tiles + 1], places.reshape(-1, rows.nodes.shape[1]), rows.weights[band]),
            (cols.starts, cols.nodes, cols.weights),
            labels,
            confidence,
        )


def _label_blocks(scores: Tensor, axes: tuple[Taps, Taps], labels: np.ndarray, confidence: np.ndarray) -> None:
    """Fill labels and confidence with torch, block by block; per block only classes that can win are interpolated."""
    grid = _as_maps(scores)
    side = _BLOCK_PIXELS.get(scores.device.type, _BLOCK_PIXELS_ELSEWHERE)
    for top in range(0, labels.shape[0], side):
        rows = slice(top, top + side)
        nodes, row_taps = _block_taps(axes[0], rows)
        band = grid[:, nodes]  # [K, P, J * w]
        for left in range(0, labels.shape[1], side):
            cols = slice(left, left + side)
            nodes, col_taps = _block_taps(axes[1], cols)
            values = band[:, :, nodes]  # [K, P, Q]
            kept = (values.amax(dim=(1, 2)) >= values.amin(dim=(1, 2)).max()).nonzero()[:, 0]  # [k], ascending
            best, place = apply_taps(values[kept], row_taps, col_taps).max(dim=0)  # [k, n, m] -> [n, m]
            labels[rows, cols] = kept[place].cpu().numpy()
            confidence[rows, cols] = best.cpu().numpy()


def _block_taps(taps: Taps, pixels: slice) -> tuple[np.ndarray, Taps]:
    """The nodes [P] that a block of pixels needs, and its taps numbered among them."""
    nodes, places = np.unique(taps.nodes[pixels], return_inverse=True)
    return nodes, Taps(places.reshape(-1, taps.nodes.shape[1]), taps.weights[pixels])
