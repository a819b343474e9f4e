from __future__ import annotations

import numpy as np

from densevl.metrics.calibration import STEPS_BITS, _count_bins_plain
from densevl.metrics.calibration_kernels import count_bins


def test_the_compiled_counter_equals_the_plain_one_at_the_edges_too() -> None:
    rng = np.random.default_rng(0)
    for num_bins in (1, 7, 15):
        edges = np.arange(num_bins + 1, dtype=np.float32) / np.float32(num_bins)
        near = np.concatenate([np.nextafter(edges, -1), edges, np.nextafter(edges, 2)])
        confidence = np.concatenate([near, rng.random(5000, np.float32)])[None]
        for kind in (np.uint8, np.uint16, np.int64):
            pred, label = rng.integers(0, 3, (2, *confidence.shape)).astype(kind)
            label[:, ::40], pred[:, ::30] = 255, 255
            found = count_bins(confidence, pred, label, num_bins, 255)
            np.testing.assert_array_equal(found, _count_bins_plain(confidence, pred, label, num_bins, 255))
            assert found[:, 0].sum() == np.sum((label != 255) & (pred != 255))


def test_steps_are_as_fine_as_float32() -> None:
    confidence = np.array([[1 - 2.0**-STEPS_BITS]], np.float32)
    counts = count_bins(confidence, np.zeros((1, 1), np.uint8), np.zeros((1, 1), np.uint8), 2, 255)
    assert counts.tolist() == [[0, 0, 0], [1, 1, 2**STEPS_BITS - 1]]
