"""`densevl eval masks`: label maps on disk against annotations, without a model."""

from __future__ import annotations

import argparse
import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from densevl.core.errors import EXIT_DONE, DataError, UsageError

HELP = "score label maps against annotations: two folders with the same names"
_FIGURES = ("mIoU", "mAcc", "aAcc", "fwIoU")
_SHOWN = {**{name: name for name in _FIGURES}, "boundary mIoU": "boundary_mIoU", "calibration error": "ECE"}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument(
        "--pred", type=Path, required=True, metavar="DIR", help="predictions, or the OUT folder of a run"
    )
    parser.add_argument("--gt", type=Path, required=True, metavar="DIR", help="annotations: ids as 8 or 16 bit PNG")
    parser.add_argument(
        "--classes", required=True, metavar="LIST|FILE|TEXT", help="the classes in the order of their ids"
    )
    parser.add_argument(
        "--ignore",
        action="append",
        default=[],
        metavar="ID",
        help="annotation ids that are not scored (several: repeat, or 11,12); 255 never is (65535 above 255 classes)",
    )
    parser.add_argument(
        "--reduce-zero-label",
        action="store_true",
        help="annotations hold 0 = other, which is not scored, and classes from 1",
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Score and print the table.

    Raises:
        UsageError: `--ignore` is no id.
        DataError: folders, files or ids that do not fit; a faulty class list.
    """
    from densevl.data.label_maps import LabelRule, name_some
    from densevl.metrics import MeanIoU
    from densevl.tasks.score_masks import pair_masks, score_masks
    from densevl.vocab import parse_classes

    names = parse_classes(args.classes).names
    rule = LabelRule(len(names), read_ids(args.ignore), args.reduce_zero_label)
    pairs, extra = pair_masks(_label_folder(args.pred), args.gt)
    if extra:
        print(f"densevl: {len(extra)} predictions have no annotation: {name_some(extra)}", file=sys.stderr)
    figures = score_masks(pairs, MeanIoU(len(names), ignore_index=rule.ignore_index), rule)
    report = _make_report(figures, names, pictures=len(pairs), without_annotation=len(extra))
    print(json.dumps(report, ensure_ascii=False) if args.json else as_text(report))
    return EXIT_DONE


def _label_folder(pred: Path) -> Path:
    """The label maps of a run's OUT, or the folder itself."""
    labels = pred / "labels"
    if not labels.is_dir() and (pred / "metrics.json").is_file():
        raise DataError(f"{pred} holds an evaluation without its label maps: run it again with --save-labels")
    return labels if labels.is_dir() else pred


def read_ids(values: Sequence[str]) -> frozenset[int]:
    """Ids of --ignore.

    Raises:
        UsageError: one is no id.
    """
    ids = [part.strip() for value in values for part in value.split(",")]
    for value in ids:
        if not value.isdecimal():
            raise UsageError(f"--ignore expects ids such as 11 or 11,255, got '{value}'")
    return frozenset(int(value) for value in ids)


def _make_report(figures: Mapping[str, Any], names: Sequence[str], **counts: int) -> dict[str, Any]:
    """All figures in per cent (the metric gives fractions by class) as JSON knows them: NaN is null."""
    rows = [
        {"name": name, "IoU": _finite(100 * iou), "Acc": _finite(100 * acc)}
        for name, iou, acc in zip(names, figures["IoU"], figures["Acc"], strict=True)
    ]
    left_out = {f"left_out_of_m{key}": sum(row[key] is None for row in rows) for key in ("IoU", "Acc")}
    return {**{key: _finite(figures[key]) for key in _FIGURES}, **counts, **left_out, "classes": rows}


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def as_text(report: Mapping[str, Any]) -> str:
    """The table of a report: every class, and the figures of all."""
    shown = {name: key for name, key in _SHOWN.items() if key in report}
    width = max(len("class"), *map(len, shown), *(len(row["name"]) for row in report["classes"]))
    rows = [f"{'class':{width}}     IoU     Acc"]
    rows += [f"{row['name']:{width}}  {_cell(row['IoU'])}  {_cell(row['Acc'])}" for row in report["classes"]]
    rows.append("")
    rows += [f"{name:{width}}  {_cell(report[key])}" for name, key in shown.items()]
    count = report.get("scored", report["pictures"])
    rows.append(f"{count} picture{'s' if count != 1 else ''}, per cent; counts are summed over all of them")
    absent, unlabelled = report["left_out_of_mIoU"], report["left_out_of_mAcc"]
    if absent or unlabelled:
        rows.append(f"'-' is left out: of mIoU {absent} (occur nowhere), of mAcc {unlabelled} (never annotated)")
    return "\n".join(rows)


def _cell(value: float | None) -> str:
    return f"{'-' if value is None else format(value, '.2f'):>6}"
