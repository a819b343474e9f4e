"""Parts of a run (shards, or processes of torchrun): a journal each, one folder, and the answers of all together.

Every part keeps a journal of its own in the shared folder. What a run comes to is made from all of them as soon as
together they know every item; what is kept of an item is plain numbers, so parts give what one run gives.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, TypeVar

from densevl.core.errors import UsageError
from densevl.engine.journal import Journal, Record
from densevl.engine.ranks import Ranks

Item = TypeVar("Item")


@dataclass(frozen=True)
class Part:
    """Which items are done here: every `count`-th, from the one at place `index` on."""

    index: int = 0
    count: int = 1

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 <= self.index < self.count:
            raise UsageError(f"--shard expects i/n with 1 <= i <= n, got {self.index + 1}/{self.count}")

    @property
    def journal(self) -> str:
        """The file name of its journal."""
        return "journal.jsonl" if self.count == 1 else f"journal-{self.index + 1}-of-{self.count}.jsonl"

    def of(self, items: Sequence[Item]) -> Sequence[Item]:
        """Its share of all items."""
        return items[self.index :: self.count]

    def among(self, ranks: Ranks) -> Part:
        """The part of this process.

        Raises:
            UsageError: `--shard` and torchrun divide the same items.
        """
        if ranks.count == 1:
            return self
        if self.count > 1:
            raise UsageError("--shard and torchrun both divide the items: use one of them")
        return Part(ranks.rank, ranks.count)


def read_shard(text: str | None) -> Part:
    """`2/4`, counted from 1 -> the part; None: all.

    Raises:
        UsageError: not such a fraction.
    """
    if text is None:
        return Part()
    found = re.fullmatch(r"(\d+)/(\d+)", text.strip())
    if found is None:
        raise UsageError(f"--shard {text}: expected I/N such as 1/4, counted from 1")
    return Part(int(found[1]) - 1, int(found[2]))


@dataclass(frozen=True)
class _Place:
    """Where the record of an item lies."""

    stream: BinaryIO
    offset: int
    length: int
    failed: bool


class Journals:
    """What all journals of a folder, written or being written, say under one set of settings.

    Of each item the newest record counts, that of the journal opened last, and finished ones before failed ones. Only
    places are kept in memory. A context manager; safe to use from several threads.

    Args:
        folder: of the journals.
        settings: fingerprint; other records are passed over.
        but: a journal that is left out.
    """

    def __init__(self, folder: Path, settings: str, *, but: str = "") -> None:
        self._settings = settings
        self._guard = threading.Lock()
        self._places: dict[str, _Place] = {}
        with ExitStack() as streams:
            for path in sorted(folder.glob("journal*.jsonl"), key=lambda path: (path.stat().st_mtime_ns, path.name)):
                if path.name != but:
                    self._index(streams.enter_context(path.open("rb")))
            self._streams = streams.pop_all()

    def __enter__(self) -> Journals:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close the files."""
        self.close()

    def close(self) -> None:
        """Close the files."""
        self._streams.close()

    def __len__(self) -> int:
        """How many items have a record."""
        return len(self._places)

    def __iter__(self) -> Iterator[str]:
        """The names of these items."""
        return iter(self._places)

    def get(self, name: str) -> Record | None:
        """The record of an item."""
        place = self._places.get(name)
        if place is None:
            return None
        with self._guard:
            place.stream.seek(place.offset)
            return Record.from_line(place.stream.read(place.length))

    def _index(self, stream: BinaryIO) -> None:
        """Note the whole lines; another process may be writing the next one."""
        offset = 0
        for line in stream:
            if line.endswith(b"\n"):
                self._note(line, stream, offset)
            offset += len(line)

    def _note(self, line: bytes, stream: BinaryIO, offset: int) -> None:
        try:
            record = Record.from_line(line)
        except (TypeError, ValueError):
            return  # opening it for writing says so
        if record.settings != self._settings:
            return
        known = self._places.get(record.name)
        if known is None or known.failed or not record.error:
            self._places[record.name] = _Place(stream, offset, len(line), bool(record.error))


class PartJournal(Journal):
    """The journal of a part, open for writing; what other parts have finished is finished here too.

    Args:
        folder: shared by all parts, made where it is absent.
        part: whose journal it is.
        settings: fingerprint of the run.

    Raises:
        OutputError: the folder cannot be written, or another run is writing this part.
    """

    def __init__(self, folder: Path, part: Part, settings: str) -> None:
        super().__init__(folder / part.journal)
        self._settings = settings
        self._others = Journals(folder, settings, but=part.journal)

    def close(self) -> None:
        """Close all files and let the next run of this part in."""
        self._others.close()
        super().close()

    def newest(self, name: str) -> Record | None:
        """The newest record of an item here; where that does not help, another part's."""
        own = super().newest(name)
        if own is not None and not own.error and own.settings == self._settings:
            return own
        return self._others.get(name) or own


def hash_inputs(records: Iterable[Record]) -> str:
    """Hex sha256 over the inputs' hashes, in the order given: tells one copy of a data set from another."""
    return hashlib.sha256("\n".join(record.input_sha256 for record in records).encode()).hexdigest()
