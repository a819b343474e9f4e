"""What the metrics of label maps share: checks of what comes in, and counts as rows of plain numbers."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from densevl.core.errors import DataError, ShapeError, UsageError

Rows = list[list[int]]


def check_classes(num_classes: int, ignore_index: int) -> None:
    """See that there are classes, and that the ignored id is none of them.

    Raises:
        UsageError: otherwise.
    """
    if num_classes < 1 or 0 <= ignore_index < num_classes:
        raise UsageError(
            f"expected at least one class and an ignored id outside them, got {num_classes} classes and "
            f"ignore_index {ignore_index}; above 255 classes ignore 65535"
        )


def check_maps(pred: np.ndarray, label: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both label maps, contiguous.

    Args:
        pred: [H, W] integer class ids.
        label: [H, W] integer class ids.

    Raises:
        ShapeError: they differ in size, are no maps or hold no integers.
    """
    pred, label = np.asarray(pred), np.asarray(label)
    if pred.shape != label.shape or label.ndim != 2:
        raise ShapeError(f"expected two maps of one size, got prediction {pred.shape} and label {label.shape}")
    if pred.dtype.kind not in "iu" or label.dtype.kind not in "iu":
        raise ShapeError(f"expected integer maps, got prediction {pred.dtype} and label {label.dtype}")
    return np.ascontiguousarray(pred), np.ascontiguousarray(label)


def stray_label(label: int, num_classes: int, ignore_index: int) -> DataError:
    """The error for a label that is no class and not ignored."""
    return DataError(
        f"expected labels 0..{num_classes - 1} or the ignored {ignore_index}, got {label}; check the class list, or "
        "ignore that id"
    )


def sparse_rows(table: np.ndarray) -> Rows:
    """The rows of a table that hold anything but zeros.

    Args:
        table: [n, m] integers.

    Returns:
        One [index, value, ... value] of Python numbers a row, in order of the index.
    """
    filled = np.flatnonzero(table.any(axis=1))
    return np.column_stack([filled, table[filled]]).tolist()  # type: ignore[no-any-return]


def add_rows(table: np.ndarray, rows: Sequence[Sequence[int]]) -> None:
    """Add what `sparse_rows` gave of a table of the same size; nothing is added where a row is faulty.

    Args:
        table: [n, m] int64, written.
        rows: as `sparse_rows`, in any order.

    Raises:
        ShapeError: they come from another table.
    """
    if not len(rows):
        return
    size, width = table.shape
    expected = f"expected rows of {width + 1} integers with an index in 0..{size - 1}"
    try:
        values = np.asarray(rows)
    except ValueError as error:  # rows of several lengths
        raise ShapeError(f"{expected}: {error}") from error
    if values.ndim != 2 or values.shape[1] != width + 1 or values.dtype.kind not in "iu":
        raise ShapeError(f"{expected}, got {values.dtype} {list(values.shape)}")
    index = values[:, 0]
    if index.min() < 0 or index.max() >= size:
        raise ShapeError(f"{expected}, got {index.min()}..{index.max()}")
    if values.min() < 0:
        raise ShapeError(f"{expected} and counts of at least 0, got {values.min()}")
    np.add.at(table, index, values[:, 1:])
