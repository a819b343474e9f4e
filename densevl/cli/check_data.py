"""`densevl check-data DIR [--kind KIND]`: is a data set complete and readable, before hours are spent on it."""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from densevl.cli.evaluate_masks import read_ids
from densevl.core.errors import EXIT_DONE, EXIT_PARTIAL, DataError, UsageError

if TYPE_CHECKING:
    from densevl.data.check import DataReport

HELP = "see whether a data set is complete and readable"
_MIN_COVERAGE = 0.98
_MOST_SHOWN = 5  # examples of one kind of problem


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Add the arguments of the verb."""
    parser.add_argument("folder", type=Path, metavar="DIR", help="the folder of the data set")
    parser.add_argument("--kind", default="segmentation", help="segmentation (default), kinetics, ...")
    parser.add_argument("--dataset", metavar="NAME", help="which of its kind, such as ade20k (told by the folders)")
    parser.add_argument(
        "--classes", metavar="LIST|FILE|TEXT", help="the classes in the order of the ids (those of the data set)"
    )
    parser.add_argument("--ignore", action="append", default=[], metavar="ID", help="ids that are not scored (11,12)")
    parser.add_argument("--reduce-zero-label", action="store_true", help="0 is not scored, classes count from 1")
    parser.add_argument(
        "--list",
        action="append",
        default=[],
        type=Path,
        metavar="FILE",
        help="what should be there (several: repeat); those in DIR if absent",
    )
    parser.add_argument(
        "--decode",
        choices=["none", "first", "all"],
        default="first",
        help="look at names and sizes, open every file (default), or decode all of it",
    )
    parser.add_argument(
        "--min-coverage",
        type=float,
        metavar="X",
        help=f"exit code 3 where a smaller share of the listed files can be used ({_MIN_COVERAGE})",
    )
    parser.add_argument("--fix-list", type=Path, metavar="FILE", help="write every problem with what to do, as csv")
    parser.add_argument("--workers", type=int, metavar="N", help="files at a time (one a core)")
    parser.add_argument(
        "--timeout",
        type=float,
        metavar="SEC",
        help="kill a decoder that takes longer to open a file, or over 100 frames of it (60)",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Look, print, judge.

    Returns:
        0 when all is well, 3 when too little can be used, 6 when enough can be used but some files are faulty (a
        picture or annotation without the other too).

    Raises:
        UsageError: unknown kind or data set, `--min-coverage` outside 0..1 or without a list, `--workers` below 1,
            `--timeout` not above 0.
        DataError: no such folder or list; a faulty list.
    """
    import os

    from densevl.data.check import SEGMENTATION, CheckRequest, find_kind, write_fix_list
    from densevl.data.decoder_process import DECODE_SEC

    least = _MIN_COVERAGE if args.min_coverage is None else args.min_coverage
    if not 0 <= least <= 1:
        raise UsageError(f"--min-coverage expects a share from 0 to 1, got {args.min_coverage}")
    workers = (os.cpu_count() or 1) if args.workers is None else args.workers
    if workers < 1:
        raise UsageError(f"--workers expects 1 or more, got {args.workers}")
    timeout_sec = DECODE_SEC if args.timeout is None else args.timeout
    check = find_kind(args.kind)
    changes = _changes(args)
    if args.kind != SEGMENTATION and (args.dataset or changes):
        flags = "--dataset, --classes, --ignore and --reduce-zero-label"
        raise UsageError(f"{flags} are of --kind {SEGMENTATION}: leave them out with {args.kind}")
    request = CheckRequest(tuple(args.list), args.decode, workers, timeout_sec, _track, args.dataset, changes)
    report = check(args.folder, request)
    if report.coverage is None and args.min_coverage is not None:
        raise UsageError(f"--min-coverage needs a list to compare with, and {args.folder} holds none: add --list FILE")
    if args.fix_list is not None:
        write_fix_list(args.fix_list, report.problems)
    print(json.dumps(report.as_dict(), ensure_ascii=False) if args.json else _as_text(report, least))
    if report.coverage is not None and report.coverage < least:
        return DataError.exit_code
    return EXIT_PARTIAL if report.failed else EXIT_DONE


def _changes(args: argparse.Namespace) -> dict[str, Any]:
    """Keys of the data set's config that the flags set."""
    asked = {
        "classes": args.classes,
        "ignore": tuple(sorted(read_ids(args.ignore))),
        "reduce_zero_label": args.reduce_zero_label,
    }
    return {key: value for key, value in asked.items() if value}


def _track(items: Iterable[Any], total: int) -> Iterable[Any]:
    from tqdm import tqdm

    yield from tqdm(items, total=total, unit="file", disable=None)  # None: silent unless stderr is a terminal


def _as_text(report: DataReport, least: float) -> str:
    kind = ", ".join(filter(None, (report.kind, report.dataset)))
    rows = [f"{report.folder}: {report.files} files ({kind})"]
    if report.splits:
        width = max(len("split"), *(len(split.name) for split in report.splits))
        rows.append(f"{'split':{width}}  expected    found   usable  coverage")
        for split in report.splits:
            share = 100 * split.usable / split.expected if split.expected else 0.0
            rows.append(f"{split.name:{width}}  {split.expected:8d} {split.found:8d} {split.usable:8d}  {share:7.2f}%")
    for kind, count in report.counts.items():
        rows.append(f"{kind}: {count}")
        same = [problem for problem in report.problems if problem.kind == kind]
        rows += [f"  {problem.path}: {problem.detail}" for problem in same[:_MOST_SHOWN]]
        if count > _MOST_SHOWN:
            rows.append(f"  ... and {count - _MOST_SHOWN} more (--fix-list FILE writes them all)")
    rows += [*_class_rows(report), *(f"note: {note}" for note in report.notes)]
    if report.coverage is not None:
        verdict = "enough" if report.coverage >= least else "too little"
        rows.append(f"coverage {100 * report.coverage:.2f}%: {verdict} (--min-coverage {least:g})")
    return "\n".join(rows)


def _class_rows(report: DataReport) -> list[str]:
    """The classes that occur least, and those that never do."""
    if not report.classes:
        return []
    present = sorted((count for count in report.classes if count.pixels), key=lambda count: count.pixels)
    absent = [count.name for count in report.classes if not count.pixels]
    pixels = sum(count.pixels for count in present)
    width = max(len("rarest"), *(len(count.name) for count in present[:_MOST_SHOWN]), 0)
    rows = [f"{'rarest':{width}}  pictures    pixels"]
    for count in present[:_MOST_SHOWN]:
        rows.append(f"{count.name:{width}}  {count.pictures:8d} {100 * count.pixels / pixels:8.4f}%")
    shown = ", ".join(absent[:_MOST_SHOWN]) + (", ..." if len(absent) > _MOST_SHOWN else "")
    rows.append(f"{len(present)} of {len(report.classes)} classes occur" + (f"; never: {shown}" if absent else ""))
    return rows
