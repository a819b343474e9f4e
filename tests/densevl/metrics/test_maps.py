from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import DataError, ShapeError, UsageError
from densevl.metrics.maps import add_rows, check_classes, check_maps, sparse_rows, stray_label


def test_classes_and_the_ignored_id_do_not_overlap() -> None:
    check_classes(255, 255)
    for classes, ignored in ((0, 255), (300, 255)):
        with pytest.raises(UsageError, match=f"got {classes} classes and ignore_index {ignored}"):
            check_classes(classes, ignored)


def test_maps_of_one_size_come_back_contiguous_and_keep_their_kind() -> None:
    pred, label = np.arange(12, dtype=np.uint8).reshape(3, 4).T, np.zeros((4, 3), np.int64)
    found = check_maps(pred, label)
    assert [kind.dtype for kind in found] == [np.uint8, np.int64]
    assert found[0].flags.c_contiguous
    np.testing.assert_array_equal(found[0], pred)


def test_other_maps_are_errors() -> None:
    with pytest.raises(ShapeError, match=r"prediction \(2, 3\) and label \(3, 2\)"):
        check_maps(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
    with pytest.raises(ShapeError, match=r"\(6,\)"):
        check_maps(np.zeros(6, np.uint8), np.zeros(6, np.uint8))
    with pytest.raises(ShapeError, match="label float32"):
        check_maps(np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.float32))


def test_a_stray_label_is_a_data_error_that_names_it() -> None:
    error = stray_label(11, 11, 255)
    assert isinstance(error, DataError)
    assert "labels 0..10 or the ignored 255, got 11" in str(error)


def test_rows_are_sparse_plain_numbers() -> None:
    rows = sparse_rows(np.array([[0, 0], [0, 4], [0, 0], [7, 0]], np.int64))
    assert rows == [[1, 0, 4], [3, 7, 0]]
    assert {type(number) for row in rows for number in row} == {int}
    assert sparse_rows(np.zeros((3, 2), np.int64)) == []


def test_rows_add_up_in_any_order_and_twice() -> None:
    table = np.array([[1, 1], [0, 0], [0, 5]], np.int64)
    add_rows(table, [])
    add_rows(table, [[2, 10, 20], [0, 1, 2], [2, 100, 200]])
    assert table.tolist() == [[2, 3], [0, 0], [110, 225]]


@pytest.mark.parametrize(
    "rows", [[[0, 1]], [[0, 1, 2], [1, 2]], [[0, 1.5, 2]], [[3, 1, 1]], [[-1, 1, 1]], [[0, 1, -2]], [0, 1, 2]]
)
def test_rows_of_another_table_are_errors_and_add_nothing(rows: list) -> None:
    table = np.zeros((3, 2), np.int64)
    with pytest.raises(ShapeError, match=r"rows of 3 integers with an index in 0\.\.2"):
        add_rows(table, rows)
    assert not table.any()
