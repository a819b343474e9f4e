"""The journal of a run: one JSON line a finished item, appended when its outputs are safely on disk.

The same command goes on where it stopped: an item is finished when its newest record has the same settings, the same
input bytes, and every wanted output still has the recorded size and sha256. What a kill leaves behind is at most a
torn last line, which opening cuts, and outputs without a record, which are written again.
"""

from __future__ import annotations

import json
import logging
import os
import threading
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from densevl.core.errors import OutputError
from densevl.core.files import sha256_file, write_atomic
from densevl.engine.lock import take_lock

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Record:
    """One line of the journal.

    Attributes:
        name: the item's output name.
        input_sha256: of the bytes the item was decoded from; "" where they could not be read.
        settings: fingerprint of all that decides the outputs beside the input.
        outputs: path relative to the output folder -> {"size": bytes, "sha256": hex}.
        row: what the summary tells of the item, free.
        error: why the item failed; "" for a finished one.
    """

    name: str
    input_sha256: str
    settings: str
    outputs: Mapping[str, Mapping[str, Any]]
    row: Mapping[str, Any]
    error: str = ""

    def to_line(self) -> bytes:
        """One JSON line."""
        return json.dumps(asdict(self)).encode("ascii") + b"\n"

    @classmethod
    def from_line(cls, line: bytes) -> Record:
        """Read a line back; ValueError or TypeError where it is none of ours."""
        return cls(**json.loads(line))


class Journal:
    """The journal file of one output folder, open for one run; safe to use from several threads.

    Only the place of each newest record is kept in memory, so that it grows with the names alone.

    Args:
        path: OUT/journal.jsonl; the output folder is made where it is absent.

    Raises:
        OutputError: the folder cannot be written, or another run is writing it.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.folder = path.parent
        self._guard = threading.Lock()
        self._places: dict[str, tuple[int, int]] = {}  # name -> offset and length of its newest line
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._lock = take_lock(path)
        except OSError as error:
            raise _cannot_write(self.folder, error) from error
        try:
            self._stream = self._open()
        except OSError as error:
            self._lock.close()
            raise _cannot_write(path, error) from error

    def __enter__(self) -> Journal:
        """Itself."""
        return self

    def __exit__(self, *error: object) -> None:
        """Close."""
        self.close()

    def close(self) -> None:
        """Close the file and let the next run in."""
        self._stream.close()
        self._lock.close()

    def newest(self, name: str) -> Record | None:
        """The newest record of an item, finished or failed."""
        with self._guard:
            if name not in self._places:
                return None
            offset, length = self._places[name]
            self._stream.seek(offset)
            return Record.from_line(self._stream.read(length))

    def finished(self, name: str, *, input_sha256: str, settings: str, wanted: Iterable[str]) -> Record | None:
        """The item's record if nothing is left to do for it, else None.

        Args:
            name: the item's output name.
            input_sha256: of the input as it is now.
            settings: fingerprint of this run.
            wanted: output paths relative to the folder; each is verified by size and sha256.
        """
        record = self.newest(name)
        if record is None or record.error or (record.input_sha256, record.settings) != (input_sha256, settings):
            return None
        whole = all(_is_whole(self.folder / path, record.outputs.get(path)) for path in wanted)
        return record if whole else None

    def append(self, record: Record) -> None:
        """Append a record whose outputs are renamed into place: their folders are synced first, then the line is.

        Raises:
            OutputError: the disk is full; the journal is left as it was.
        """
        line = record.to_line()
        try:
            for folder in {(self.folder / path).parent for path in record.outputs}:
                _sync_folder(folder)
            with self._guard:
                offset = self._stream.seek(0, os.SEEK_END)
                self._append(line, offset)
                self._places[record.name] = (offset, len(line))
        except OSError as error:
            raise _cannot_write(self.path, error) from error

    def _append(self, line: bytes, offset: int) -> None:
        try:
            if self._stream.write(line) != len(line):
                raise OSError("the disk is full")
            os.fsync(self._stream.fileno())
        except OSError:
            self._stream.truncate(offset)  # the next line must not be glued to half a one
            raise

    def _open(self) -> BinaryIO:
        """Index the file, cut a torn last line, and drop outdated lines where they are the larger part."""
        self.path.touch()
        records = self._index()
        if records > 2 * len(self._places):
            with self.path.open("rb") as stream:
                kept = [_read_at(stream, *place) for place in sorted(self._places.values())]
            write_atomic(self.path, b"".join(kept))
            self._index()
        _sync_folder(self.folder)
        return self.path.open("r+b", buffering=0)

    def _index(self) -> int:
        """Note where each record lies; returns how many there are, outdated ones too."""
        self._places.clear()
        offset = records = 0
        with self.path.open("r+b") as stream:
            for line in stream:
                if not line.endswith(b"\n"):
                    logger.warning("%s: cut a torn last line", self.path)
                    break
                records += self._note(line, offset)
                offset += len(line)
            stream.truncate(offset)
        return records

    def _note(self, line: bytes, offset: int) -> bool:
        try:
            self._places[Record.from_line(line).name] = (offset, len(line))
        except (TypeError, ValueError):
            logger.warning("%s: the line at byte %d cannot be read; its item runs again", self.path, offset)
            return False
        return True


def _read_at(stream: BinaryIO, offset: int, length: int) -> bytes:
    stream.seek(offset)
    return stream.read(length)


def _is_whole(path: Path, written: Mapping[str, Any] | None) -> bool:
    try:
        return written is not None and path.stat().st_size == written["size"] and sha256_file(path) == written["sha256"]
    except OSError:
        return False


def _cannot_write(path: Path, error: OSError) -> OutputError:
    return OutputError(f"cannot write {path}: {error.strerror or error}; choose another --out")


def _sync_folder(folder: Path) -> None:
    """Make renames in a folder last through a power cut, where the system can sync folders."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
