"""What verbs have in common: modules that other packages bring, and flags that every command takes."""

from __future__ import annotations

import argparse
import sys
from importlib.metadata import entry_points
from types import ModuleType

COMMON_FLAGS = ("--debug", "-v", "--verbose")


def entry_names(group: str) -> tuple[str, ...]:
    """The names in an entry-point group; nothing is loaded."""
    return tuple(entry.name for entry in entry_points(group=group))


def load_entries(group: str, what: str) -> dict[str, ModuleType]:
    """The modules of an entry-point group by name; a broken one is named on stderr and left out."""
    modules = {}
    for entry in entry_points(group=group):
        try:
            modules[entry.name] = entry.load()
        except Exception as error:  # somebody else's package may not stop ours
            print(f"densevl: the {what} {entry.name} of {entry.value} is broken: {error}", file=sys.stderr)
    return modules


def add_common_flags(parser: argparse.ArgumentParser, *, default: bool | str = False) -> None:
    """Add `--debug` and `--verbose`; below a parser that has them, argparse.SUPPRESS as default leaves what it said."""
    parser.add_argument("--debug", action="store_true", default=default, help="show the traceback of an error")
    parser.add_argument("-v", "--verbose", action="store_true", default=default, help="say more on stderr")
