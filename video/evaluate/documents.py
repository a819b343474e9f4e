"""What an evaluation leaves beside its journal: figures with their card, tables, the confusion picture."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from densevl.core.files import write_atomic
from densevl.engine.documents import finite, write_csv, write_json
from densevl.engine.journal import Record
from densevl.metrics import ClassificationReport
from densevl.visualize import draw_confusion
from video.lists import ClipList

FIGURES = ("top1", "top5", "mean_class")
_COUNTS = ("top5_of", "counted", "answered", "unanswered", "skipped", "coverage")


def write_documents(
    out: Path, clips: ClipList, records: Sequence[Record], report: ClassificationReport, card: Mapping[str, Any]
) -> dict[str, Any]:
    """Write everything; the same records give the same bytes.

    Returns:
        What metrics.json holds.
    """
    figures = report.compute()
    metrics = {
        **{name: finite(figures[name]) for name in FIGURES},
        **{name: finite(figures[name]) for name in _COUNTS},
        "missing": sum(not record.input_sha256 for record in records),
        "cut_off": sum(bool(record.row.get("note")) for record in records),
        "card": dict(card),
    }
    names, confusion = clips.class_names, report.confusion
    unanswered = figures["items"] - confusion.sum(axis=1)
    write_json(out / "metrics.json", metrics)
    write_csv(out / "per_class.csv", _class_rows(names, figures, confusion))
    rows = ([name, *row, lost] for name, row, lost in zip(names, confusion.tolist(), unanswered.tolist(), strict=True))
    write_csv(out / "confusion.csv", [["label \\ prediction", *names, "(no answer)"], *rows])
    write_csv(out / "predictions.csv", _prediction_rows(clips, records))
    failed = ([path, record.error] for path, record in zip(clips.paths, records, strict=True) if record.error)
    write_csv(out / "failed.csv", [["path", "reason"], *failed])
    picture = io.BytesIO()
    Image.fromarray(draw_confusion(confusion, names)).save(picture, "PNG")
    write_atomic(out / "confusion.png", picture.getvalue())
    return metrics


def _class_rows(names: Sequence[str], figures: Mapping[str, Any], confusion: np.ndarray) -> list[list[Any]]:
    rows: list[list[Any]] = [["id", "class", "clips", "top1", "top5", "most_often_taken_for", "times"]]
    for k, name in enumerate(names):
        wrong = confusion[k].copy()
        wrong[k] = 0
        other, times = int(wrong.argmax()), int(wrong.max())
        shares = [_percent(figures[key][k]) for key in ("accuracy", "top5_accuracy")]
        rows.append([k, name, int(figures["items"][k]), *shares, names[other] if times else "", times or ""])
    return rows


def _prediction_rows(clips: ClipList, records: Sequence[Record]) -> list[list[Any]]:
    """A row a listed clip, in the order of the list; one that was not read has no prediction."""
    rows: list[list[Any]] = [["path", "label", "prediction", "score", "rank_of_label", "top", "note"]]
    names = clips.class_names
    for path, record in zip(clips.paths, records, strict=True):
        row = record.row
        told: list[Any] = ["", "", "", "", "not read: see failed.csv"]
        if not record.error:
            best, score = row["top"][0]
            top = "; ".join(f"{names[k]} {value:.4f}" for k, value in row["top"])
            told = [names[best], f"{score:.6f}", row["rank"] + 1, top, row["note"]]
        rows.append([path, names[row["label"]], *told])
    return rows


def _percent(share: float) -> str:
    return "" if math.isnan(share) else f"{100 * share:.2f}"
