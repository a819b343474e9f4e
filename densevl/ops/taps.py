"""Interpolation along one axis, as a table: which grid nodes make an output pixel, and with which weights.

Bilinear upsampling, cropping, averaging overlapping windows and a second bilinear step are all linear and separable,
so one table an axis holds them together: out[Y, X] = sum_pq rows[Y, p] * cols[X, q] * grid[p, q]. The weights of a
pixel are not negative and sum to one.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from densevl.core.errors import ShapeError

LONGEST_TILE = 64  # pixels; the work space of a tile then stays in the first cache
_LANES = 16  # float32 a vector register


@dataclass(frozen=True)
class Taps:
    """Weights of one axis.

    Attributes:
        nodes: [n, T] int64, the grid nodes of each of n output pixels; a node may stand there twice.
        weights: [n, T] float32, rows sum to 1.
    """

    nodes: np.ndarray
    weights: np.ndarray


@dataclass(frozen=True)
class Tiles:
    """Taps cut into runs of pixels that share their nodes.

    Attributes:
        starts: [t + 1] int64, first pixel of each tile, and the end.
        nodes: [t, M >= 2] int64, the nodes of a tile; shorter lists repeat their last node, with weight 0.
        weights: [t, M, L] float32, L >= pixels of the longest tile, a multiple of the vector width; 0 beyond the end.
    """

    starts: np.ndarray
    nodes: np.ndarray
    weights: np.ndarray


def bilinear_taps(length: int, nodes: int, scale: float) -> Taps:
    """Bilinear interpolation without aligned corners: pixel Y samples the grid at (Y + 0.5) * scale - 0.5, clamped.

    Args:
        length: output pixels.
        nodes: grid nodes.
        scale: grid nodes an output pixel.

    Returns:
        Two taps a pixel, rounded as torch rounds (float32 positions).
    """
    half = np.float32(0.5)
    position = np.maximum(np.float32(scale) * (np.arange(length, dtype=np.float32) + half) - half, np.float32(0))
    low = np.minimum(position.astype(np.int64), nodes - 1)
    high = np.minimum(low + 1, nodes - 1)
    share = np.clip(position - low.astype(np.float32), np.float32(0), np.float32(1))
    return Taps(np.stack([low, high], axis=1), np.stack([1 - share, share], axis=1))


def apply_taps(values: Tensor, rows: Taps, cols: Taps) -> Tensor:
    """Interpolate the plain way, as two matrix products.

    Args:
        values: [..., h, w].
        rows: taps of the y axis, n pixels.
        cols: taps of the x axis, m pixels.

    Returns:
        [..., n, m].
    """
    height, width = values.shape[-2:]
    across, down = (
        torch.from_numpy(_as_matrix(taps, nodes)).to(device=values.device, dtype=values.dtype)
        for taps, nodes in ((cols, width), (rows, height))
    )
    return down @ (values @ across.T)  # [..., h, m] -> [..., n, m]


def _as_matrix(taps: Taps, nodes: int) -> np.ndarray:
    """[n, nodes] float32."""
    matrix = np.zeros((len(taps.nodes), nodes), dtype=np.float32)
    np.add.at(matrix, (np.arange(len(matrix))[:, None], taps.nodes), taps.weights)
    return matrix


def windowed_taps(length: int, canvas: int, *, starts: np.ndarray, window: int, nodes: int, extent: float) -> Taps:
    """Windows to their pixels, mean over the windows of a canvas pixel, canvas to the output: three steps in one table.

    Args:
        length: output pixels.
        canvas: canvas pixels.
        starts: [I] first canvas pixel of each window.
        window: canvas pixels of a window.
        nodes: grid nodes of a window; node p of window i is numbered i * nodes + p.
        extent: canvas pixels that the grid spans, at least `window`.

    Returns:
        4 * C taps a pixel, where C windows overlap at most.

    Raises:
        ShapeError: a canvas pixel lies in no window.
    """
    inside = bilinear_taps(window, nodes, nodes / extent)
    cover = np.zeros(canvas, dtype=np.int64)
    for start in starts:
        cover[start : start + window] += 1
    if cover.min() == 0:
        raise ShapeError(f"expected windows that cover all {canvas} pixels, pixel {int(cover.argmin())} lies in none")
    canvas_nodes = np.zeros((canvas, int(cover.max()), 2), dtype=np.int64)  # [H', C, 2]
    canvas_weights = np.zeros(canvas_nodes.shape, dtype=np.float64)
    filled = np.zeros(canvas, dtype=np.int64)
    for number, start in enumerate(starts):
        pixels = np.arange(start, start + window)
        canvas_nodes[pixels, filled[pixels]] = inside.nodes + number * nodes
        canvas_weights[pixels, filled[pixels]] = inside.weights
        filled[pixels] += 1
    canvas_weights /= cover[:, None, None]
    outer = bilinear_taps(length, canvas, canvas / length)
    weights = (outer.weights[:, :, None, None] * canvas_weights[outer.nodes]).reshape(length, -1)  # [H, 2 * C * 2]
    taps = canvas_nodes[outer.nodes].reshape(length, -1)
    # A tap without weight repeats the heaviest node, so that it loosens no bound.
    heaviest = np.take_along_axis(taps, weights.argmax(axis=1, keepdims=True), axis=1)
    return Taps(np.where(weights == 0, heaviest, taps), weights.astype(np.float32))


def cut_tiles(taps: Taps) -> Tiles:
    """Cut an axis into tiles: neighbours whose node lists hold one another, at most `LONGEST_TILE` pixels each."""
    starts, lists = _runs(np.sort(taps.nodes, axis=1))
    width = max(2, *(len(nodes) for nodes in lists))
    nodes = np.array([nodes + nodes[-1:] * (width - len(nodes)) for nodes in lists], dtype=np.int64)  # [t, M]
    lengths = np.diff(starts)
    tile = np.repeat(np.arange(len(lengths)), lengths)  # [n]
    offset = np.arange(starts[-1]) - starts[tile]
    place = (nodes[tile][:, None, :] == taps.nodes[:, :, None]).argmax(axis=2)  # [n, T]
    padded = -(-int(lengths.max()) // _LANES) * _LANES
    weights = np.zeros((len(lengths), width, padded), dtype=np.float32)
    np.add.at(weights, (tile[:, None], place, offset[:, None]), taps.weights)
    return Tiles(starts, nodes, weights)


def _runs(ordered: np.ndarray) -> tuple[np.ndarray, list[list[int]]]:
    """Starts and node lists of the tiles, from the sorted nodes of each pixel."""
    changes = np.flatnonzero((ordered[1:] != ordered[:-1]).any(axis=1)) + 1
    firsts = [0, *changes.tolist()]
    runs: list[tuple[int, set[int]]] = []
    for first, row in zip(firsts, ordered[firsts].tolist(), strict=True):
        nodes = set(row)
        if runs and nodes <= runs[-1][1]:
            runs[-1] = (runs[-1][0], nodes | runs[-1][1])
        else:
            runs.append((first, nodes))
    starts, lists = [], []
    for (first, nodes), end in zip(runs, [first for first, _ in runs[1:]] + [len(ordered)], strict=True):
        parts = -(-(end - first) // LONGEST_TILE)
        starts += [first + (end - first) * part // parts for part in range(parts)]
        lists += [sorted(nodes)] * parts
    return np.array([*starts, len(ordered)], dtype=np.int64), lists
