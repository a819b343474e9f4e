"""Bins of confidence compiled for the processor. Importing it imports numba; `CalibrationError.update` does so."""

from __future__ import annotations

import numpy as np

from densevl.core.compiled import compiled
from densevl.metrics.calibration import STEPS_BITS

_ONE = 1 << STEPS_BITS


@compiled
def count_bins(
    confidence: np.ndarray, pred: np.ndarray, label: np.ndarray, num_bins: int, ignore_index: int
) -> np.ndarray:
    """Sum pixels by the bin of their confidence.

    Args:
        confidence: [H, W] float32, finite; what is outside 0..1 counts as 0 or 1.
        pred: [H, W] integers.
        label: [H, W] integers.
        num_bins: B.
        ignore_index: pixels with that label or prediction are not counted.

    Returns:
        [B, 3] int64: pixels, those whose prediction is the label, and their confidence in steps of 2^-24.
    """
    counts = np.zeros((num_bins, 3), dtype=np.int64)
    height, width = label.shape
    for y in range(height):
        for x in range(width):
            true, guess = np.int64(label[y, x]), np.int64(pred[y, x])
            if true == ignore_index or guess == ignore_index:
                continue
            share = min(max(np.float64(confidence[y, x]), 0.0), 1.0)
            steps = np.int64(share * _ONE + 0.5)
            place = (steps * num_bins - 1) >> STEPS_BITS if steps > 0 else 0
            counts[place, 0] += 1
            counts[place, 1] += true == guess
            counts[place, 2] += steps
    return counts
