"""Tables of counts that add up."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import ShapeError
from densevl.metrics.counted import Counted


def counted(values: list[list[int]], **settings: float) -> Counted:
    return Counted(np.array(values, dtype=np.int64), **settings)


def test_tables_add_up_directly_and_as_rows() -> None:
    first, second = counted([[1, 2], [0, 0]], bins=2), counted([[0, 0], [5, 6]], bins=2)
    assert second.counts() == [[1, 5, 6]]
    rows = counted([[1, 2], [0, 0]], bins=2)
    rows.add_counts(second.counts())
    first.merge(second)
    assert first.counts() == rows.counts() == [[0, 1, 2], [1, 5, 6]]


def test_tables_of_other_settings_are_not_added() -> None:
    first = counted([[1]], bins=1, width=0.5)
    with pytest.raises(ShapeError, match=r"expected counts with bins 1, width 0\.5, got bins 1, width 0\.25"):
        first.merge(counted([[1]], bins=1, width=0.25))
    assert first.counts() == [[0, 1]]
