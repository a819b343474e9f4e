"""Is the file on this machine the published one?"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from densevl.weights.locate import file_hash, find, hub_hash, published_hash
from densevl.weights.table import get_row


@dataclass(frozen=True)
class HashCheck:
    """The hash of some weights against the one it should be.

    Attributes:
        name: of the table.
        path: the file, or None where it is missing.
        found: its sha256.
        expected: the published one, or the one by which the hub's cache names the file; None where neither is known.
    """

    name: str
    path: Path | None
    found: str | None = None
    expected: str | None = None

    @property
    def state(self) -> str:
        """`missing`, `right`, `wrong` or `hash not known`."""
        if self.path is None:
            return "missing"
        if self.expected is None:
            return "hash not known"
        return "right" if self.found == self.expected else "wrong"


def verify(name: str) -> HashCheck:
    """Hash the file of some weights and compare.

    Raises:
        UnknownNameError: no such name.
    """
    row = get_row(name)
    path = find(row)
    if path is None:
        return HashCheck(name, None)
    return HashCheck(name, path, found=file_hash(path), expected=published_hash(row, path) or hub_hash(path))
