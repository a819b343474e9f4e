"""The class map compiled for the processor. Importing this module imports numba; `resize` does so at its first call.

A value inside a tile is a mean of its nodes with weights that are not negative, so class c can win there only if its
largest node reaches the largest of all classes' smallest nodes. Only those candidates are interpolated. Along a pixel
row of the tile the same holds once more, with the nodes interpolated in x.
"""

from __future__ import annotations

import numpy as np

from densevl.core.compiled import compiled


@compiled
def _spans(values, rows, lowest, highest):  # type: ignore[no-untyped-def]
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
def _above_bound(reach, count, found):  # type: ignore[no-untyped-def]
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
def _tile_candidates(lowest, highest, cols, reach, found):  # type: ignore[no-untyped-def]
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
def _across(values, rows, cols, weights, classes, lines):  # type: ignore[no-untyped-def]
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
def _line_spans(lines, width, count, spans):  # type: ignore[no-untyped-def]
    """Smallest and largest value of each line over the `width` pixels of the tile: `spans` [P, 2, k]."""
    for p in range(spans.shape[0]):
        for k in range(count):
            line = lines[p, k]
            low = high = line[0]
            for x in range(width):
                low = min(low, line[x])
                high = max(high, line[x])
            spans[p, 0, k] = low
            spans[p, 1, k] = high


@compiled
def _row_candidates(spans, weights, count, reach, found):  # type: ignore[no-untyped-def]
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
def _row(lines, weights, classes, kept, best, winner):  # type: ignore[no-untyped-def]
    """One pixel row of a tile: `lines` [P, k, L] along y with weights [P] -> best score and winner, [L] each."""
    best[:] = -np.inf
    for k in kept:
        number = classes[k]
        upper, lower, first, second = lines[0, k], lines[1, k], weights[0], weights[1]
        for x in range(best.size):
            score = first * upper[x] + second * lower[x]
            for p in range(2, weights.size):
                score += weights[p] * lines[p, k, x]
            better = score > best[x]
            best[x] = score if better else best[x]
            winner[x] = number if better else winner[x]


@compiled
def fill_class_map(values, rows, cols, labels, confidence):  # type: ignore[no-untyped-def]
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
    classes, taps, lanes = values.shape[2], row_nodes.shape[1], col_weights.shape[2]
    lowest = np.empty(values.shape[1:], dtype=np.float32)
    highest = np.empty_like(lowest)
    reach = np.empty((2, classes), dtype=np.float32)
    found = np.empty(classes + 1, dtype=np.int32)
    kept = np.empty_like(found)
    lines = np.empty((taps, classes, lanes), dtype=np.float32)
    spans = np.empty((taps, 2, classes), dtype=np.float32)
    best = np.empty(lanes, dtype=np.float32)
    winner = np.empty(lanes, dtype=np.int32)
    for i in range(row_nodes.shape[0]):
        _spans(values, row_nodes[i], lowest, highest)
        for j in range(col_nodes.shape[0]):
            left, right = col_starts[j], col_starts[j + 1]
            count = _tile_candidates(lowest, highest, col_nodes[j], reach, found)
            _across(values, row_nodes[i], col_nodes[j], col_weights[j], found[:count], lines)
            _line_spans(lines, right - left, count, spans)
            for y in range(row_starts[i], row_starts[i + 1]):
                weights = row_weights[i, :, y - row_starts[i]]
                number = _row_candidates(spans, weights, count, reach, kept)
                _row(lines, weights, found, kept[:number], best, winner)
                for x in range(left, right):
                    labels[y, x] = winner[x - left]
                    confidence[y, x] = best[x - left]
