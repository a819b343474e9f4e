"""The class map compiled for the processor. Importing this module imports numba; `resize` does so at its first call.

A value inside a tile is a mean of its nodes with weights that are not negative, so class c can win there only if its
largest node reaches the largest of all classes' smallest nodes. Only those candidates are interpolated. Along a pixel
row of the tile the same holds once more, with the nodes interpolated in x.
"""

from __future__ import annotations

import numpy as np

from densevl.core.compiled import compiled

Array = np.ndarray

_LANES = 8  # float32 a vector register


@compiled
def _spans(values: Array, rows: Array, lowest: Array, highest: Array) -> None:
    """Values [n, M, K] at the node rows of a tile -> lowest and highest [M, K]."""
    for q in range(values.shape[1]):
        low, high = lowest[q], highest[q]
        low[:] = values[rows[0], q]
        high[:] = low
        for p in rows[1:]:
            node = values[p, q]
            for c in range(node.size):
                low[c] = min(low[c], node[c])
                high[c] = max(high[c], node[c])


@compiled
def _above_bound(reach: Array, count: int, found: Array) -> int:
    """Where reach[1] attains the largest reach[0]: ascending places into `found`, one longer; returns how many."""
    bound = reach[0, 0]
    for k in range(count):
        bound = max(bound, reach[0, k])
    number = 0
    for k in range(count):
        found[number] = k
        number += reach[1, k] >= bound
    return number


@compiled
def _tile_candidates(lowest: Array, highest: Array, cols: Array, reach: Array, found: Array) -> int:
    """Classes that can win in a tile, from the spans of its node columns; returns how many."""
    reach[0] = lowest[cols[0]]
    reach[1] = highest[cols[0]]
    for q in cols[1:]:
        low, high = lowest[q], highest[q]
        for c in range(low.size):
            reach[0, c] = min(reach[0, c], low[c])
            reach[1, c] = max(reach[1, c], high[c])
    return _above_bound(reach, reach.shape[1], found)


@compiled
def _across(values: Array, rows: Array, cols: Array, weights: Array, classes: Array, lines: Array) -> None:
    """The candidates at the nodes of a tile, interpolated along x: `lines` [P, k, L]."""
    for p in range(rows.size):
        for k in range(classes.size):
            line = lines[p, k]
            line[:] = 0
            for q in range(cols.size):
                score, weight = values[rows[p], cols[q], classes[k]], weights[q]
                for x in range(line.size):
                    line[x] += score * weight[x]


@compiled
def _line_spans(lines: Array, width: int, spans: Array) -> None:
    """Smallest and largest value of each line over the `width` pixels of the tile: `spans` [P, 2, k]."""
    for p in range(lines.shape[0]):
        for k in range(lines.shape[1]):
            line = lines[p, k]
            low = high = line[0]
            for x in range(width):
                low = min(low, line[x])
                high = max(high, line[x])
            spans[p, 0, k] = low
            spans[p, 1, k] = high


@compiled
def _row_candidates(spans: Array, weights: Array, count: int, reach: Array, found: Array) -> int:
    """Which of a tile's candidates can win in one pixel row, from the spans of their lines; returns how many."""
    for k in range(count):
        reach[0, k] = weights[0] * spans[0, 0, k]
        reach[1, k] = weights[0] * spans[0, 1, k]
    for p in range(1, weights.size):
        for k in range(count):
            reach[0, k] += weights[p] * spans[p, 0, k]
            reach[1, k] += weights[p] * spans[p, 1, k]
    return _above_bound(reach, count, found)


@compiled
def _row(lines: Array, weights: Array, classes: Array, kept: Array, best: Array, winner: Array) -> None:
    """One pixel row of a tile: `lines` [P, k, L] along y with weights [P] -> best score and winner, [L] each."""
    best[:] = -np.inf
    score = np.empty_like(best)
    for k in kept:
        number = classes[k]
        upper, lower, first, second = lines[0, k], lines[1, k], weights[0], weights[1]
        for x in range(best.size):
            score[x] = first * upper[x] + second * lower[x]
        for p in range(2, weights.size):
            line, weight = lines[p, k], weights[p]
            for x in range(best.size):
                score[x] += weight * line[x]
        for x in range(best.size):
            better = score[x] > best[x]
            best[x] = score[x] if better else best[x]
            winner[x] = number if better else winner[x]


@compiled
def fill_class_map(
    values: Array, rows: tuple[Array, Array, Array], cols: tuple[Array, Array, Array], labels: Array, confidence: Array
) -> None:
    """Write the winning class and its interpolated score.

    Args:
        values: [n, M, K] float32 scores at the grid nodes.
        rows: the `Tiles` of the y axis, as a tuple (starts, nodes, weights).
        cols: the same of the x axis.
        labels: [H, W] uint8 or uint16, written.
        confidence: [H, W] float32, written.
    """
    row_starts, row_nodes, row_weights = rows
    col_starts, col_nodes, col_weights = cols
    classes, taps, longest = values.shape[2], row_nodes.shape[1], col_weights.shape[2]
    lowest = np.empty(values.shape[1:], dtype=np.float32)
    highest = np.empty_like(lowest)
    reach = np.empty((2, classes), dtype=np.float32)
    found = np.empty(classes + 1, dtype=np.int32)
    kept = np.empty_like(found)
    work = np.empty(taps * classes * longest, dtype=np.float32)
    spans = np.empty((taps, 2, classes), dtype=np.float32)
    best = np.empty(longest, dtype=np.float32)
    winner = np.empty(longest, dtype=np.int32)
    for i in range(row_nodes.shape[0]):
        _spans(values, row_nodes[i], lowest, highest)
        for j in range(col_nodes.shape[0]):
            left, right = col_starts[j], col_starts[j + 1]
            count = _tile_candidates(lowest, highest, col_nodes[j], reach, found)
            lanes = -(-(right - left) // _LANES) * _LANES
            lines = work[: taps * count * lanes].reshape((taps, count, lanes))
            _across(values, row_nodes[i], col_nodes[j], col_weights[j], found[:count], lines)
            _line_spans(lines, right - left, spans)
            for y in range(row_starts[i], row_starts[i + 1]):
                weights = row_weights[i, :, y - row_starts[i]]
                number = _row_candidates(spans, weights, count, reach, kept)
                _row(lines, weights, found, kept[:number], best[:lanes], winner)
                row_labels, row_confidence = labels[y, left:right], confidence[y, left:right]
                for x in range(row_labels.size):
                    row_labels[x] = winner[x]
                for x in range(row_confidence.size):
                    row_confidence[x] = best[x]
