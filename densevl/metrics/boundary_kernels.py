"""Boundary regions compiled for the processor. Importing this module imports numba; `BoundaryIoU.update` does so."""

from __future__ import annotations

import numpy as np

from densevl.core.compiled import compiled


@compiled
def count_boundaries(
    pred: np.ndarray, label: np.ndarray, classes: int, ignore_index: int, distance: int
) -> tuple[np.ndarray, int]:
    """Count, class by class, where the boundary regions of two maps meet, and their union.

    A pixel is inside its class where the (2d + 1) x (2d + 1) window around it is of one label: where its row is of one
    label from x - d to x + d, and 2d + 1 such rows of that label stand on each other. One pass from top to bottom
    sees row y and decides about row y - d; the work does not depend on d.

    Args:
        pred: [H, W] integers; all ids outside 0..K-1 are no class.
        label: [H, W] integers.
        classes: K.
        ignore_index: label of pixels that are no class in either map.
        distance: d >= 1.

    Returns:
        [K, 2] int64, intersection and union, and the flat place of a label outside 0..K-1 that is not ignored, or -1.
    """
    height, width = label.shape
    counts = np.zeros((classes, 2), dtype=np.int64)
    if label.size == 0:
        return counts, -1
    kept = distance + 1  # rows y - d .. y
    codes = np.zeros((2, kept, width), dtype=np.int32)  # label, prediction; K: no class
    heights = np.zeros((2, width), dtype=np.int32)  # how many rows of one label end at row y
    steady = np.zeros(width, dtype=np.int32)
    edges = np.zeros((2, width), dtype=np.int32)
    for y in range(height + distance):
        if y < height:
            now, above = y % kept, (y - 1) % kept
            stray = _encode_row(pred[y], label[y], classes, ignore_index, codes[:, now])
            if stray >= 0:
                return counts, y * width + stray
            for which in range(2):
                _mark_steady(codes[which, now], distance, steady)
                _grow(heights[which], steady, codes[which, now], codes[which, above])
        else:  # outside of the picture
            heights[:] = 0
        if y >= distance:
            for which in range(2):
                row = codes[which, (y - distance) % kept]
                _keep_boundary(row, heights[which], 2 * distance + 1, classes, edges[which])
            _tally_row(edges, counts)
    return counts, -1


@compiled
def _encode_row(pred: np.ndarray, label: np.ndarray, classes: int, ignore_index: int, codes: np.ndarray) -> int:
    """[W] ids -> codes [2, W]; the place of a stray label, or -1."""
    stray = -1
    for x in range(label.size):
        true, guess = np.int64(label[x]), np.int64(pred[x])
        ignored = true == ignore_index
        if not ignored and (true < 0 or true >= classes):
            stray = x
        codes[0, x] = classes if ignored else true
        codes[1, x] = classes if ignored or guess < 0 or guess >= classes else guess
    return stray


@compiled
def _mark_steady(row: np.ndarray, distance: int, steady: np.ndarray) -> None:
    """1 where a row [W] is of one label from x - d to x + d, else 0."""
    steady[:] = 0
    start = 0
    for x in range(1, row.size + 1):
        if x == row.size or row[x] != row[start]:
            for inside in range(start + distance, x - distance):
                steady[inside] = 1
            start = x


@compiled
def _grow(heights: np.ndarray, steady: np.ndarray, row: np.ndarray, above: np.ndarray) -> None:
    """One more row below: heights [W] go on under their own label, start at 1 under another, 0 where unsteady."""
    for x in range(row.size):
        heights[x] = steady[x] * (heights[x] * np.int32(row[x] == above[x]) + 1)


@compiled
def _keep_boundary(codes: np.ndarray, heights: np.ndarray, full: int, classes: int, edges: np.ndarray) -> None:
    """Fill edges [W]: codes where the window is not full, K inside of a class."""
    for x in range(codes.size):
        edges[x] = codes[x] if heights[x] < full else classes


@compiled
def _tally_row(edges: np.ndarray, counts: np.ndarray) -> None:
    """Add the boundary pixels of a row, edges [2, W]. Neighbours are mostly equal: run by run, not one by one."""
    classes, width = counts.shape[0], edges.shape[1]
    start = 0
    true, guess = edges[0, 0], edges[1, 0]
    for x in range(1, width + 1):
        if x < width and edges[0, x] == true and edges[1, x] == guess:
            continue
        if true < classes:
            counts[true, 1] += x - start
        if true == guess and true < classes:
            counts[true, 0] += x - start
        elif guess < classes:
            counts[guess, 1] += x - start
        if x < width:
            start, true, guess = x, edges[0, x], edges[1, x]
