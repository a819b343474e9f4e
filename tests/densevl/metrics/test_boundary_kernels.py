from __future__ import annotations

import numpy as np
import pytest

from densevl.metrics.boundary import _count_boundaries_plain
from densevl.metrics.boundary_kernels import count_boundaries


@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int64])
def test_the_compiled_counter_equals_the_plain_one(kind: type) -> None:
    rng = np.random.default_rng(0)
    for distance in (1, 2, 5, 40):
        for cell in (1, 4, 30):
            height, width = rng.integers(2, 120, 2)
            coarse = rng.integers(0, 9, (2, height // cell + 1, width // cell + 1))
            pred, label = coarse.repeat(cell, 1).repeat(cell, 2)[:, :height, :width].astype(kind)
            label[label > 6] = 255
            found = count_boundaries(pred, label, 7, 255, distance)
            expected = _count_boundaries_plain(pred, label, 7, 255, distance)
            np.testing.assert_array_equal(found[0], expected[0])
            assert found[1] == expected[1] == -1
            assert found[0].any()


def test_a_stray_label_is_found() -> None:
    label = np.array([[0, 1, 255], [1, 9, 0]])
    for count in (count_boundaries, _count_boundaries_plain):
        assert count(np.zeros((2, 3), np.int64), label, 2, 255, 1)[1] == 4
