from __future__ import annotations

import numpy as np

from densevl.metrics.kernels import count_pairs
from densevl.metrics.segmentation import _count_pairs_plain


def test_the_compiled_counter_equals_the_plain_one() -> None:
    rng = np.random.default_rng(0)
    for kind in (np.uint8, np.uint16, np.int64):
        pred, label = rng.integers(0, 9, 1001).astype(kind), rng.integers(0, 6, 1001).astype(kind)
        label[::50] = 255
        found, expected = count_pairs(pred, label, 6, 255), _count_pairs_plain(pred, label, 6, 255)
        np.testing.assert_array_equal(found[0], expected[0])
        assert found[1] == expected[1] == -1


def test_a_stray_label_is_found() -> None:
    label = np.array([0, 1, 9, 0])
    for count in (count_pairs, _count_pairs_plain):
        assert count(np.zeros(4, np.int64), label, 2, 255)[1] == 2
