"""Warnings about items of a data set that do not drown everything else."""

from __future__ import annotations

import logging

logger = logging.getLogger(__name__)

_MOST_NAMED = 5


class Complaints:
    """Warns of items that are not as they should be: of each once, and of the first few only.

    Args:
        rest: what is said instead of the others.
    """

    def __init__(self, rest: str) -> None:
        self.rest = rest
        self._named: set[int] = set()

    def add(self, index: int, text: str) -> None:
        """Warn of the item at a place of the data set, if that is not too much."""
        if index not in self._named and len(self._named) <= _MOST_NAMED:
            self._named.add(index)
            logger.warning("%s", text if len(self._named) <= _MOST_NAMED else self.rest)
