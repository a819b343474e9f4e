"""`densevl eval`: figures of a model on a data set, of label maps on disk, or of what another package brings.

`densevl eval CONFIG ...` is short for `densevl eval dataset CONFIG ...`, and `--explain A B` for `explain A B`. Other
packages add kinds through the entry-point group `densevl.evaluations`: modules with HELP, `add_arguments(parser)` and
`run(args) -> int`, as verbs are.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from densevl.cli import evaluate_dataset, evaluate_explain, evaluate_masks
from densevl.cli.entries import COMMON_FLAGS, add_common_flags, entry_names, load_entries
from densevl.core.errors import UsageError

HELP = "score a model on a data set, or predictions against annotations"
KINDS = {"dataset": evaluate_dataset, "masks": evaluate_masks, "explain": evaluate_explain}
_GROUP = "densevl.evaluations"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the kinds of evaluation, each with its arguments."""
    parser.description = f"{HELP}. `densevl eval CONFIG --data DIR` is short for `densevl eval dataset CONFIG ...`."
    kinds = parser.add_subparsers(dest="target", metavar="CONFIG|KIND")
    for name, module in {**KINDS, **load_entries(_GROUP, "evaluation")}.items():
        kind = kinds.add_parser(name, help=module.HELP, description=module.HELP)
        module.add_arguments(kind)
        kind.set_defaults(evaluate=module.run)
        add_common_flags(kind, default=argparse.SUPPRESS)


def kind_names() -> tuple[str, ...]:
    """The kinds of evaluation, those of other packages too."""
    return (*KINDS, *entry_names(_GROUP))


def expand(words: Sequence[str]) -> list[str]:
    """The words behind `eval` with their kind: what begins with no kind is about a model on a data set."""
    place = next((place for place, word in enumerate(words) if word not in COMMON_FLAGS), len(words))
    before, rest = list(words[:place]), list(words[place:])
    if not rest or rest[0] in ("-h", "--help", *kind_names()):
        return [*before, *rest]
    if rest[0] == "--explain":
        return [*before, "explain", *rest[1:]]
    return [*before, "dataset", *rest]


def run(args: argparse.Namespace) -> int:
    """Run the kind of evaluation that was asked for.

    Raises:
        UsageError: none was.
    """
    if args.target is None:
        kinds = ", ".join(kind_names())
        raise UsageError(f"say what is scored: CONFIG --data DIR, such as maskclip-lite-camvid, or one of {kinds} (-h)")
    return int(args.evaluate(args))
