"""What a run makes of one clip, and what its journal keeps."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from densevl.engine.documents import csv_document
from densevl.engine.journal import Record
from video.results import ClipPrediction
from video.watch import Timeline

BEST = 5  # classes listed of each clip


@dataclass(frozen=True)
class ClipResult:
    """A recognised clip of a run.

    Attributes:
        prediction: of the whole clip; of a long video the mean over its windows.
        duration_sec: how long it lasts.
        timeline: of a long video, else None.
        note: what a reader should know, such as that the clip is cut off.
    """

    prediction: ClipPrediction
    duration_sec: float
    timeline: Timeline | None = None
    note: str = ""


def clip_row(result: ClipResult, origin: str) -> dict[str, Any]:
    """What the journal keeps: source, seconds, the best classes, the margin, and a long video's seconds by label."""
    prediction = result.prediction
    row: dict[str, Any] = {
        "source": origin,
        "seconds": round(result.duration_sec, 3),
        "best": [[name, round(score, 6)] for name, score in prediction.top(BEST)],
        "margin": round(prediction.margin, 6),
        "note": result.note,
    }
    if result.timeline is not None:
        row["segments"] = len(result.timeline.segments)
        row["seconds_by_label"] = _seconds_by_label(result.timeline)
    return row


def _seconds_by_label(timeline: Timeline) -> dict[str, float]:
    seconds: dict[str, float] = {}
    for part in timeline.segments:
        if part.label is not None:
            seconds[part.label] = seconds.get(part.label, 0.0) + part.end_sec - part.start_sec
    return {name: round(value, 3) for name, value in seconds.items()}


def predictions_document(records: Iterable[Record]) -> bytes:
    """predictions.csv: a line a clip in source order; of a long video the mean over its windows."""
    header = ["path", "label", "score", "margin", "seconds", "segments", "note"]
    places = range(2, BEST + 1)
    header += [word for place in places for word in (f"label{place}", f"score{place}")]
    return csv_document([header, *map(_prediction_line, records)])


def _prediction_line(record: Record) -> list[Any]:
    row = record.row
    (label, score), *others = row["best"]
    line = [row["source"], label, f"{score:.4f}", f"{row['margin']:.4f}", row["seconds"], row.get("segments", "")]
    line.append(row["note"])
    line += [word for name, share in others for word in (name, f"{share:.4f}")]
    return line + [""] * (2 * (BEST - 1 - len(others)))


def summary_document(records: Iterable[Record], class_names: Sequence[str]) -> bytes:
    """summary.csv: a line a class, with the short clips that got it and its seconds in long videos."""
    clips = dict.fromkeys(class_names, 0)
    seconds = dict.fromkeys(class_names, 0.0)
    for record in records:
        by_label = record.row.get("seconds_by_label")
        if by_label is None:
            clips[record.row["best"][0][0]] += 1
        for name, share in (by_label or {}).items():
            seconds[name] += share
    rows = [[name, clips[name], f"{seconds[name]:.3f}"] for name in class_names]
    return csv_document([["label", "clips", "timeline_sec"], *rows])
