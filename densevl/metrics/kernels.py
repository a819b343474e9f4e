"""Counting compiled for the processor. Importing this module imports numba; `MeanIoU.update` does so."""

from __future__ import annotations

import numpy as np

from densevl.core.compiled import compiled

_TABLES = 4  # neighbouring pixels are mostly equal: taking turns, no count waits for the one before it


@compiled
def count_pairs(pred: np.ndarray, label: np.ndarray, classes: int, ignore_index: int) -> tuple[np.ndarray, int]:
    """Count how often each prediction meets each label.

    Args:
        pred: [n] integers; all ids outside 0..K-1 are counted together.
        label: [n] integers.
        classes: K.
        ignore_index: label of pixels that are not counted.

    Returns:
        [K, K + 1] int64 (rows label, columns prediction, last those outside) and the place of a label outside
        0..K-1 that is not ignored, or -1.
    """
    tables = np.zeros((_TABLES, classes, classes + 1), dtype=np.int32)
    stray = -1
    for i in range(label.size):
        row, column = np.int64(label[i]), np.int64(pred[i])
        if row == ignore_index:
            continue
        if row < 0 or row >= classes:
            stray = i
            continue
        if column < 0 or column >= classes:
            column = classes
        tables[i % _TABLES, row, column] += 1
    return tables.sum(axis=0, dtype=np.int64), stray
