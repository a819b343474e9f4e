"""The errors a user can cause, each with the exit code of the command line.

Exit codes: 0 done, 1 bug, 2 flags and unknown names, 3 absent, empty or faulty data, 4 weights, 5 memory,
6 finished but some inputs failed, 130 interrupted. A message says what was expected, what came and what to do.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from typing import Literal

EXIT_DONE = 0
EXIT_PARTIAL = 6
EXIT_INTERRUPTED = 130

# What a loop over many clips does where one raises ClipError; counted as wrong, it keeps its place in the accuracy.
ClipPolicy = Literal["raise", "skip", "count-as-wrong"]


class DensevlError(Exception):
    """Base of every error that densevl raises on purpose."""

    exit_code = 1


class ShapeError(DensevlError, ValueError):
    """A tensor or array came with the wrong shape, kind or range at a public door."""


class UsageError(DensevlError):
    """A flag or a combination of flags that cannot work."""

    exit_code = 2


class UnknownNameError(UsageError):
    """A name (model, template set, class list, ...) that does not exist."""

    def __init__(self, kind: str, name: str, known: Iterable[str], hint: str = "") -> None:
        known = sorted(known)
        near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
        options = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(known)}."
        super().__init__(f"unknown {kind} '{name}': {options}{' ' + hint if hint else ''}")
        self.name = name
        self.near = near


class DataError(DensevlError):
    """A source, class file, config or data folder that is absent, empty or faulty."""

    exit_code = 3


class SourceError(DataError):
    """The SOURCE of a run is absent, empty or ambiguous."""


class PictureError(DataError):
    """One picture cannot be read. A run skips it and lists it in failed.csv."""


class ClipError(DataError):
    """One clip cannot be opened, or cannot be decoded up to a frame that was asked for.

    Attributes:
        path: the file, as the caller named it.
    """

    def __init__(self, message: str, *, path: str = "") -> None:
        super().__init__(message)  # one argument: worker processes rebuild an error from its text
        self.path = path


class ClassListError(DataError):
    """A class list that cannot be read as one; says file and line."""


class ConfigError(DataError):
    """A config file that cannot be built."""


class OutputError(DataError):
    """The output folder cannot be written."""


class WeightsError(DensevlError):
    """Weights that are missing, damaged, of another model, or not trusted."""

    exit_code = 4


class MemoryLimitError(DensevlError):
    """Out of memory after every step down."""

    exit_code = 5


class TrainingError(DataError):
    """Training cannot go on: the loss is no number, or the data does not fit the plan."""
