"""What stands beside the labels at the end of a run: classes.json, summary.csv, failed.csv. Rows in, bytes out."""

from __future__ import annotations

import csv
import io
import itertools
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from densevl.core.structures import Segmentation, no_label_id
from densevl.data.pictures import shown
from densevl.engine.journal import Record
from densevl.engine.pipeline import Failure
from densevl.visualize import WRITERS, ReportRow, palette
from densevl.vocab import ClassList


def picture_row(result: Segmentation, origin: str | Path) -> dict[str, Any]:
    """What the journal keeps of a picture: source, size [H, W], doubt, pixels by class (last: without a label)."""
    return {
        "source": shown(origin),
        "size": list(result.label_map.shape),
        "doubt": round(result.mean_doubt, 6),
        "pixels": result.pixel_counts.tolist(),
    }


def classes_document(classes: ClassList) -> bytes:
    """classes.json: id, name, words and colour of every class, and the id of pixels without a label."""
    colours = palette(len(classes.names)).tolist()
    listed = [
        {"id": index, "name": name, "words": list(words), "colour": colour}
        for index, (name, words, colour) in enumerate(zip(classes.names, classes.synonyms, colours, strict=True))
    ]
    document = {"no_label": no_label_id(len(classes.names)), "classes": listed}
    return json.dumps(document, ensure_ascii=False, indent=1).encode() + b"\n"


def summary_document(records: Iterable[Record], class_names: Sequence[str]) -> bytes:
    """summary.csv: a line a picture in source order, with doubt and the share of every class."""
    header = ["name", "source", "width", "height", "doubt", "no label", *class_names]
    return _csv(itertools.chain([header], map(_summary_line, records)))


def _summary_line(record: Record) -> list[Any]:
    row = record.row
    height, width = row["size"]
    shares = [f"{pixels / (height * width):.6f}" for pixels in row["pixels"]]
    return [record.name, row["source"], width, height, row["doubt"], shares[-1], *shares[:-1]]


def failed_document(failed: Iterable[Failure]) -> bytes:
    """failed.csv: a line an input that could not be done, with the reason."""
    return _csv([["name", "reason"], *([failure.name, failure.reason] for failure in failed)])


def _csv(lines: Iterable[Sequence[Any]]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(lines)
    return text.getvalue().encode()


def report_rows(records: Iterable[Record], class_names: Sequence[str], *, with_overlay: bool) -> list[ReportRow]:
    """What the gallery shows of each picture."""
    rows = []
    for record in records:
        height, width = record.row["size"]
        counts = zip(class_names, record.row["pixels"], strict=False)  # the last count is of pixels without a label
        rows.append(
            ReportRow(
                name=record.name,
                overlay=WRITERS["overlay"].path(record.name) if with_overlay else None,
                doubt=record.row["doubt"],
                areas={name: pixels / (height * width) for name, pixels in counts if pixels},
            )
        )
    return rows
