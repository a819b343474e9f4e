"""`densevl benchmark [--quick] [--json FILE]`: the fast parts against their plain forms, on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from densevl.core.errors import EXIT_DONE

HELP = "measure the fast parts against plain forms of the same jobs"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--quick", action="store_true", help="fewest pairs: about a minute")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write environment and rows there")


def run(args: argparse.Namespace) -> int:
    """Run the verb."""
    from densevl.bench import as_table, run_suite
    from densevl.core.files import write_atomic

    report = run_suite(quick=args.quick)
    if args.json is not None:
        write_atomic(args.json, json.dumps(report, indent=1).encode() + b"\n")
    print(as_table(report))
    return EXIT_DONE
