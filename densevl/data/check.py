"""What is wrong with a data set on disk: the report that every kind of data set fills in.

A kind is a callable `(folder, CheckRequest) -> DataReport`: `segmentation` is ours, others are found through the
entry-point group `densevl.data_kinds`.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Literal, TypeVar

from densevl.core.errors import UnknownNameError, UsageError
from densevl.core.files import write_atomic
from densevl.data.decoder_process import DECODE_SEC

Decode = Literal["none", "first", "all"]
_T = TypeVar("_T")
Track = Callable[[Iterable[_T], int], Iterable[_T]]  # (items, how many) -> the items, showing progress on the way

SEGMENTATION = "segmentation"  # the kind that needs no other package
_GROUP = "densevl.data_kinds"
_FIX_COLUMNS = ("path", "split", "problem", "detail", "action")


@dataclass(frozen=True)
class CheckRequest:
    """What to look at.

    Attributes:
        lists: files that say what should be there; empty: those that lie in the folder.
        decode: `none` looks at names and sizes, `first` opens every file, `all` decodes all of it.
        workers: files at a time, each in a decoding process of its own.
        timeout_sec: the longest that a decoder may take over one step of a file before it is killed.
        track: shows progress.
        dataset: which of the data sets of a kind it is; None: told by the folders.
        changes: keys of its config (such as classes, ignore, reduce_zero_label) that are set in place of its own.
    """

    lists: tuple[Path, ...] = ()
    decode: Decode = "first"
    workers: int = 1
    timeout_sec: float = DECODE_SEC
    track: Track[Any] = lambda items, total: items
    dataset: str | None = None
    changes: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Problem:
    """One file and what is wrong with it; `kind` is one word, such as `missing`, `detail` says where or how much."""

    path: str
    split: str
    kind: str
    detail: str
    action: str


@dataclass(frozen=True)
class SplitCount:
    """Files of one split: how many the list names, and how many of these are there and can be read."""

    name: str
    expected: int
    found: int
    usable: int


@dataclass(frozen=True)
class ClassCount:
    """How often a class is annotated: in how many pixels, and in how many pictures; `id` as the files have it."""

    id: int
    name: str
    pixels: int
    pictures: int


@dataclass(frozen=True)
class DataReport:
    """A data set as it was found.

    Attributes:
        kind: of data set.
        folder: where it lies.
        files: how many were found, listed or not.
        splits: against their lists; empty where there is no list.
        problems: one a file.
        failing: kinds of problems which mean that a file cannot be used.
        notes: sentences on the whole.
        dataset: which data set of its kind it is, or was taken for.
        classes: how often each is annotated, in the order of the ids; empty where that was not looked at.
    """

    kind: str
    folder: str
    files: int
    splits: tuple[SplitCount, ...]
    problems: tuple[Problem, ...]
    failing: frozenset[str]
    notes: tuple[str, ...] = ()
    dataset: str = ""
    classes: tuple[ClassCount, ...] = ()

    @property
    def coverage(self) -> float | None:
        """Usable files as a share of the expected ones; None without a list."""
        expected = sum(split.expected for split in self.splits)
        return sum(split.usable for split in self.splits) / expected if expected else None

    @property
    def counts(self) -> Mapping[str, int]:
        """How many problems there are of each kind, in the order in which the kinds first came."""
        return Counter(problem.kind for problem in self.problems)

    @property
    def failed(self) -> int:
        """How many files cannot be used."""
        return sum(problem.kind in self.failing for problem in self.problems)

    def as_dict(self) -> dict[str, Any]:
        """What `--json` prints."""
        return {
            "kind": self.kind,
            "dataset": self.dataset,
            "folder": self.folder,
            "files": self.files,
            "coverage": self.coverage,
            "splits": [vars(split) for split in self.splits],
            "counts": dict(self.counts),
            "problems": [vars(problem) for problem in self.problems],
            "classes": [vars(count) for count in self.classes],
            "notes": list(self.notes),
        }


Check = Callable[[Path, CheckRequest], DataReport]


def find_kind(name: str) -> Check:
    """The check of a kind of data set.

    Raises:
        UnknownNameError: no installed package brings it.
        UsageError: the package that brings it cannot be loaded.
    """
    if name == SEGMENTATION:
        from densevl.data.check_segmentation import check_segmentation  # it imports this module

        return check_segmentation
    entries = {entry.name: entry for entry in entry_points(group=_GROUP)}
    if name not in entries:
        hint = "Other kinds come with installed packages: in a checkout, run 'pip install -e .' once."
        raise UnknownNameError("kind of data set", name, [SEGMENTATION, *entries], hint)
    try:
        check: Check = entries[name].load()
        return check
    except (ImportError, AttributeError) as error:
        raise UsageError(
            f"the kind '{name}' ({entries[name].value}) cannot be loaded: {error}; install it anew"
        ) from error


def write_fix_list(path: Path, problems: Sequence[Problem]) -> None:
    """Write a csv with one row for each problem: path, split, problem, detail, action.

    Raises:
        OutputError: it cannot be written.
    """
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_FIX_COLUMNS)
    table.writerows((fix.path, fix.split, fix.kind, fix.detail, fix.action) for fix in problems)
    write_atomic(path, text.getvalue().encode("utf-8", "surrogateescape"))
