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
def _above_bound(low, high, found):  # type: ignore[no-untyped-def]
    """Where high reaches the largest low: ascending places into `found`, one entry longer; returns how many."""
    bound = low[0]
    for c in range(low.size):
        bound = max(bound, low[c])
    count = 0
    for c in range(low.size):
        found[count] = c
        count += high[c] >= bound
    return count


@compiled
def _tile_candidates(lowest, highest, cols, found):  # type: ignore[no-untyped-def]
    """Classes that can win in a tile, from the spans of its node columns; returns how many."""
    low, high = lowest[cols[0]].copy(), highest[cols[0]].copy()
    for q in cols[1:]:
        node_low, node_high = lowest[q], highest[q]
        for c in range(low.size):
            low[c] = min(low[c], node_low[c])
            high[c] = max(high[c], node_high[c])
    return _above_bound(low, high, found)


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
def _line_spans(lines, width, least, most):  # type: ignore[no-untyped-def]
    """Smallest and largest value of each line over the `width` pixels of the tile: [P, k] each."""
    for p in range(least.shape[0]):
        for k in range(least.shape[1]):
            line = lines[p, k]
            low = high = line[0]
            for x in range(width):
                low = min(low, line[x])
                high = max(high, line[x])
            least[p, k] = low
            most[p, k] = high


@compiled
def _row_candidates(weights, least, most, found):  # type: ignore[no-untyped-def]
    """Which of a tile's candidates can win in one pixel row, from the spans of their lines; returns how many."""
    low, high = weights[0] * least[0], weights[0] * most[0]
    for p in range(1, weights.size):
        for k in range(low.size):
            low[k] += weights[p] * least[p, k]
            high[k] += weights[p] * most[p, k]
    return _above_bound(low, high, found)


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
    lowest = np.empty(values.shape[1:], dtype=np.float32)
    highest = np.empty_like(lowest)
    found = np.empty(values.shape[2] + 1, dtype=np.int32)
    kept = np.empty_like(found)
    lines = np.empty((row_nodes.shape[1], values.shape[2], col_weights.shape[2]), dtype=np.float32)
    best = np.empty(col_weights.shape[2], dtype=np.float32)
    winner = np.empty(best.size, dtype=np.int32)
    for i in range(row_nodes.shape[0]):
        _spans(values, row_nodes[i], lowest, highest)
        for j in range(col_nodes.shape[0]):
            classes = found[: _tile_candidates(lowest, highest, col_nodes[j], found)]
            left, right = col_starts[j], col_starts[j + 1]
            _across(values, row_nodes[i], col_nodes[j], col_weights[j], classes, lines)
            least = np.empty((lines.shape[0], classes.size), dtype=np.float32)
            most = np.empty_like(least)
            _line_spans(lines, right - left, least, most)
            for y in range(row_starts[i], row_starts[i + 1]):
                weights = row_weights[i, :, y - row_starts[i]]
                count = _row_candidates(weights, least, most, kept)
                _row(lines, weights, classes, kept[:count], best, winner)
                for x in range(left, right):
                    labels[y, x] = winner[x - left]
                    confidence[y, x] = best[x - left]
