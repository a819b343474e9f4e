"""`densevl VERB ...`: collects the verbs, runs one, turns errors into one message and an exit code.

A verb is a module with `HELP`, `add_arguments(parser)` and `run(args) -> int`; one that has short forms says in
`expand(words)` what they stand for. Ours are named below; other packages add theirs through the entry-point group
`densevl.commands`. A verb imports what is heavy inside `run`.
"""

from __future__ import annotations

import argparse
import importlib
import logging
import sys
import warnings
from collections.abc import Sequence
from types import ModuleType

from densevl import __version__
from densevl.cli.entries import add_common_flags, load_entries
from densevl.core.errors import EXIT_INTERRUPTED, DensevlError, MemoryLimitError
from densevl.engine.runtime import is_out_of_memory

VERBS = {
    "demo": "densevl.cli.demo",
    "segment": "densevl.cli.segment",
    "masks": "densevl.cli.masks",
    "eval": "densevl.cli.evaluate",
    "train": "densevl.cli.train",
    "check-classes": "densevl.cli.check_classes",
    "check-data": "densevl.cli.check_data",
    "models": "densevl.cli.models",
    "benchmark": "densevl.cli.benchmark",
    "doctor": "densevl.cli.doctor",
}


def collect_verbs() -> dict[str, ModuleType]:
    """Every verb's module, ours first."""
    verbs = {name: importlib.import_module(path) for name, path in VERBS.items()}
    return {**verbs, **load_entries("densevl.commands", "verb")}


def make_parser(verbs: dict[str, ModuleType]) -> argparse.ArgumentParser:
    """The whole parser: a sub-parser for each verb."""
    parser = argparse.ArgumentParser(prog="densevl", description="Label every pixel with your own words.")
    parser.add_argument("--version", action="version", version=f"densevl {__version__}")
    subparsers = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for name, module in verbs.items():
        sub = subparsers.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(sub)
        add_common_flags(sub)
    return parser


def expand(words: Sequence[str], verbs: dict[str, ModuleType]) -> list[str]:
    """A command line with the short forms of its verb written out."""
    written_out = getattr(verbs.get(words[0]), "expand", list) if words else list
    return [*words[:1], *written_out(words[1:])]


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command line.

    Returns:
        The exit code: 0 done, 1 bug, 2 flags, 3 data, 4 weights, 5 memory, 6 some inputs failed, 130 interrupted.
    """
    words = sys.argv[1:] if argv is None else argv
    debug = "--debug" in words
    try:
        return _run(words)
    except KeyboardInterrupt:
        print("densevl: interrupted; what is written stays, the same command goes on", file=sys.stderr)
        return EXIT_INTERRUPTED
    except BrokenPipeError:
        return EXIT_INTERRUPTED
    except DensevlError as error:
        if debug:
            raise
        print(f"densevl: {error}", file=sys.stderr)
        return error.exit_code
    except Exception as error:
        if debug:
            raise
        if is_out_of_memory(error):
            print(f"densevl: out of memory ({error}): close other programs, or take a smaller --model", file=sys.stderr)
            return MemoryLimitError.exit_code
        print(f"densevl: bug: {type(error).__name__}: {error} (--debug shows where)", file=sys.stderr)
        return DensevlError.exit_code


def _run(words: Sequence[str]) -> int:
    verbs = collect_verbs()
    args = make_parser(verbs).parse_args(expand(words, verbs))
    level = logging.INFO if args.verbose else logging.WARNING
    logging.basicConfig(level=level, format="densevl: %(message)s", stream=sys.stderr)
    warnings.simplefilter("default" if args.verbose else "ignore")  # of libraries; ours go through logging
    return int(verbs[args.verb].run(args))
