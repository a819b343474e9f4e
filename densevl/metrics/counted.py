"""What metrics of label maps share: a table of whole numbers that adds up, whatever the order and the parts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

import numpy as np

from densevl.core.errors import ShapeError
from densevl.metrics.maps import add_rows, sparse_rows

_Same = TypeVar("_Same", bound="Counted")


class Counted:
    """A metric whose state is one table of counts.

    Args:
        table: [n, m] int64, all zeros.
        **settings: what two tables must have in common to be added.
    """

    def __init__(self, table: np.ndarray, **settings: float) -> None:
        self._counts, self._settings = table, settings

    def merge(self: _Same, other: _Same) -> None:
        """Add the counts of another shard.

        Raises:
            ShapeError: the other one has other settings.
        """
        if other._settings != self._settings:
            raise ShapeError(f"expected counts with {_told(self._settings)}, got {_told(other._settings)}")
        self._counts += other._counts

    def counts(self) -> list[list[int]]:
        """The rows of the table that hold anything: [row, count, ... count]; fit for JSON."""
        return sparse_rows(self._counts)

    def add_counts(self, counts: Sequence[Sequence[int]]) -> None:
        """Add what `counts` gave elsewhere, with the same settings.

        Raises:
            ShapeError: they come from another table.
        """
        add_rows(self._counts, counts)


def _told(settings: dict[str, float]) -> str:
    return ", ".join(f"{name} {value}" for name, value in settings.items())
