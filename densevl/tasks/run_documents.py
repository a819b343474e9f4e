"""What stands beside the labels at the end of a run: classes.json, summary.csv, failed.csv. Rows in, bytes out."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from densevl.core.structures import Segmentation, no_label_id
from densevl.data.pictures import shown
from densevl.engine.documents import csv_document, json_document
from densevl.engine.journal import Record
from densevl.engine.pipeline import Failure, RunCount
from densevl.engine.runtime import versions
from densevl.visualize import WRITERS, ReportRow, palette
from densevl.vocab import ClassList


@dataclass(frozen=True)
class RunResult:
    """What came out: counts, the failed inputs, and where the outputs are."""

    out: Path
    done: int
    resumed: int
    failed: tuple[Failure, ...]
    seconds: float

    @classmethod
    def of(cls, out: Path, count: RunCount) -> RunResult:
        """The result of a pipeline's run into a folder."""
        return cls(out, count.done, count.resumed, count.failed, count.seconds)

    def as_dict(self) -> dict[str, Any]:
        """For --json."""
        failed = [{"name": failure.name, "reason": failure.reason} for failure in self.failed]
        return {
            "out": str(self.out),
            "done": self.done,
            "resumed": self.resumed,
            "failed": failed,
            "seconds": round(self.seconds, 3),
        }

    def sentence(self, noun: str = "picture", document: str = "report.html") -> str:
        """For people: what was done, and the document to look at."""
        resumed = f" ({self.resumed} were done already)" if self.resumed else ""
        count = self.done + self.resumed
        text = f"densevl: {count} {noun}{'s' if count != 1 else ''} done{resumed}; see {self.out / document}"
        if self.failed:
            first = self.failed[0]
            text += f"\ndensevl: {len(self.failed)} failed, the first: {first.reason}. List: {self.out / 'failed.csv'}"
        return text


def run_document(settings: Mapping[str, Any], result: RunResult, *, started: datetime, batch_size: int) -> bytes:
    """run.json: when, what came out, settings and versions."""
    document = {
        "started": started.isoformat(timespec="seconds"),
        "ended": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        **result.as_dict(),
        "settings": settings,
        "batch_size": batch_size,
        "versions": versions(),
    }
    return json_document(document)


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
    return json_document(document)


def summary_document(records: Iterable[Record], class_names: Sequence[str]) -> bytes:
    """summary.csv: a line a picture in source order, with doubt and the share of every class."""
    header = ["name", "source", "width", "height", "doubt", "no label", *class_names]
    return csv_document(itertools.chain([header], map(_summary_line, records)))


def _summary_line(record: Record) -> list[Any]:
    row = record.row
    height, width = row["size"]
    shares = [f"{pixels / (height * width):.6f}" for pixels in row["pixels"]]
    return [record.name, row["source"], width, height, row["doubt"], shares[-1], *shares[:-1]]


def failed_document(failed: Iterable[Failure]) -> bytes:
    """failed.csv: a line an input that could not be done, with the reason."""
    return csv_document([["name", "reason"], *([failure.name, failure.reason] for failure in failed)])


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
