"""Class lists: from a shipped list's name, a file, text, or Python names to one frozen `ClassList`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densevl.core.errors import ClassListError
from densevl.vocab.grammar import Finding, Reading, is_leftover, read_file_text, read_text
from densevl.vocab.tables import is_csv, read_csv, read_json, read_mapping, read_sequence
from densevl.vocab.words import LISTS

_PATH_SUFFIXES = (".txt", ".csv", ".json")
_MOST_FAULTS = 10  # shown in one message


@dataclass(frozen=True)
class ClassList:
    """The words of a run, K classes asked for with Q queries.

    Attributes:
        names: K names, as shown.
        synonyms: K tuples, what each class is asked for with; usually its name first.
        source: where it was read.
    """

    names: tuple[str, ...]
    synonyms: tuple[tuple[str, ...], ...]
    source: str = "list"

    def __len__(self) -> int:
        return len(self.names)

    @property
    def queries(self) -> tuple[str, ...]:
        """Q queries, class by class."""
        return tuple(query for words in self.synonyms for query in words)

    @property
    def class_index(self) -> tuple[int, ...]:
        """The class of each of the Q queries."""
        return tuple(k for k, words in enumerate(self.synonyms) for _ in words)

    @property
    def background_index(self) -> int | None:
        """The first class that is named for what is left over (background, other, unknown, ...), or None."""
        return next((k for k, name in enumerate(self.names) if is_leftover(name)), None)


def list_names() -> tuple[str, ...]:
    """The names of the class lists we ship."""
    return tuple(sorted(path.stem for path in LISTS.glob("*.txt") if not path.name.startswith("_")))


def parse_classes(classes: str | Path | Sequence[Any] | Mapping[str, Any] | ClassList) -> ClassList:
    """Read a class list; `read_classes` says how, `densevl.vocab.grammar` how it is written.

    Raises:
        ClassListError: no such file, unreadable, no classes, or words that belong to two classes; says where and
            what to do.
    """
    if isinstance(classes, ClassList):
        return classes
    reading = read_classes(classes)
    faults = find_faults(reading)
    if faults:
        shown = [f"{reading.where(fault.line)}: {fault.message}; {fault.suggestion}" for fault in faults]
        more = [f"... and {len(shown) - _MOST_FAULTS} more"] if len(shown) > _MOST_FAULTS else []
        raise ClassListError("\n".join([*shown[:_MOST_FAULTS], *more]))
    names = tuple(entry.name for entry in reading.entries)
    return ClassList(names, tuple(entry.queries for entry in reading.entries), reading.source)


def read_classes(classes: str | Path | Sequence[Any] | Mapping[str, Any]) -> Reading:
    """Tell the forms apart and read one.

    A string is, in this order: the name of a shipped list; an existing file; a path that should exist (it ends in
    .txt, .csv or .json, or has a folder in it, and has no `;`); text. A Path is a file.

    Raises:
        ClassListError: no such file, or it cannot be read.
    """
    if isinstance(classes, Path):
        return _read_file(classes)
    if isinstance(classes, str):
        return _read_string(classes)
    if isinstance(classes, Mapping):
        return read_mapping(classes, "classes")
    if isinstance(classes, Sequence):
        return read_sequence(classes, "classes")
    raise ClassListError(f"expected a list name, a file, text or a list of names, got {type(classes).__name__}")


def _read_string(text: str) -> Reading:
    word = text.strip()
    if word in list_names():
        return read_file_text((LISTS / f"{word}.txt").read_text(encoding="utf-8"), word)
    if os.path.isfile(text):
        return _read_file(Path(text))
    looks_like_path = word.lower().endswith(_PATH_SUFFIXES) or re.search(r"[/\\]", word)
    if looks_like_path and not re.search(r"[;\n]", word):
        hint = f"check the path, name a shipped list ({', '.join(list_names())}), or end it with ';' if it is a class"
        raise ClassListError(f"no such file {word}: {hint}")
    return read_text(text)


def _read_file(path: Path) -> Reading:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise ClassListError(f"cannot read the class file {path}: {error.strerror}; give a text file") from error
    try:
        text = data.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        what = f"byte {data[error.start]:#04x} is no UTF-8"
        raise ClassListError(f"{path} line {line}: {what}; save the file as UTF-8 text") from error
    if path.suffix.lower() == ".json":
        return read_json(text, str(path))
    if path.suffix.lower() == ".csv" or is_csv(text):
        return read_csv(text, str(path))
    return read_file_text(text, str(path))


def find_faults(reading: Reading) -> list[Finding]:
    """What makes a list unusable: no classes, names given twice, a query that belongs to two classes."""
    faults = [remark for remark in reading.remarks if remark.fault]
    if not reading.entries and not faults:
        faults.append(Finding("no-classes", 0, "no class in it", "name at least one, such as 'road; car; sky'", True))
    names: dict[str, int] = {}
    owners: dict[str, tuple[int, str]] = {}
    for entry in reading.entries:
        if entry.name in names:
            message = f'"{entry.name}" is already a class on {reading.unit} {names[entry.name]}'
            faults.append(Finding("duplicate", entry.line, message, "remove one", fault=True))
            continue
        names[entry.name] = entry.line
        for query in entry.queries:
            line, owner = owners.setdefault(query, (entry.line, entry.name))
            if owner != entry.name and query not in reading.shared:
                message = f'"{query}" is already on {reading.unit} {line} as a word of "{owner}"'
                cure = f"keep it in one class, or say '# shared: {query}' in a file"
                faults.append(Finding("duplicate", entry.line, message, cure, fault=True))
    return faults
