"""`densevl eval --explain A.json B.json`: what differs between two evaluations, and what of it changes figures."""

from __future__ import annotations

import argparse
import json
from dataclasses import asdict
from pathlib import Path

from densevl.core.errors import EXIT_DONE

HELP = "say what differs between two metrics.json, and which of it changes figures"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("first", type=Path, metavar="A.json", help="the metrics.json of an evaluation")
    parser.add_argument("second", type=Path, metavar="B.json", help="that of another")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Compare the cards and print.

    Raises:
        DataError: a file is no metrics.json with a card.
    """
    from densevl.tasks.explain import conclude, explain, find_differences, read_metrics

    first, second = read_metrics(args.first), read_metrics(args.second)
    if args.json:
        differences = find_differences(first["card"], second["card"])
        found = {"conclusion": conclude(differences), "differences": [asdict(one) for one in differences]}
        print(json.dumps(found, ensure_ascii=False))
    else:
        print("\n".join(explain(first, second)))
    return EXIT_DONE
