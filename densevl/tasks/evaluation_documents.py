"""What an evaluation leaves beside its journal: figures with their card, tables, the confusion picture."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image

from densevl.core.errors import DataError
from densevl.core.files import write_atomic
from densevl.engine.documents import finite, write_csv, write_json
from densevl.metrics import MeanIoU
from densevl.visualize import draw_confusion

FIGURES = ("mIoU", "mAcc", "aAcc", "fwIoU", "boundary_mIoU", "ECE")  # per cent
_BY_CLASS = ("IoU", "Acc", "boundary_IoU")  # fractions in the metrics, per cent in the documents
_RELIABILITY = ("pixels", "confidence", "accuracy")


@dataclass(frozen=True, eq=False)
class Outcome:
    """What an evaluation came to.

    Attributes:
        figures: FIGURES in per cent; IoU, Acc and boundary_IoU, [K] fractions; ECE_bins, as the metric gives them.
        regions: the counts behind them.
        class_names: K names.
        pictures: how many were to be scored.
        failed: names and reasons of those that could not be.
        card: the protocol card.
    """

    figures: Mapping[str, Any]
    regions: MeanIoU
    class_names: tuple[str, ...]
    pictures: int
    failed: tuple[tuple[str, str], ...]
    card: Mapping[str, Any]


def write_documents(out: Path, outcome: Outcome) -> dict[str, Any]:
    """Write metrics.json, metrics.md, per_class.csv, confusion.csv, confusion.png and failed.csv.

    Returns:
        What metrics.json holds.

    Raises:
        DataError: no picture could be scored; only failed.csv is written.
    """
    write_csv(out / "failed.csv", [["name", "reason"], *outcome.failed])
    if len(outcome.failed) == outcome.pictures:
        name, reason = outcome.failed[0]
        raise DataError(f"none of the {outcome.pictures} pictures could be scored; {name}: {reason}")
    metrics = metrics_document(outcome)
    names, confusion = outcome.class_names, outcome.regions.confusion
    unlabelled = outcome.regions.label_area - confusion.sum(axis=1)
    write_json(out / "metrics.json", metrics)
    write_atomic(out / "metrics.md", markdown(metrics).encode())
    write_csv(out / "per_class.csv", _class_rows(metrics["classes"], outcome.regions))
    rows = ([name, *row, lost] for name, row, lost in zip(names, confusion.tolist(), unlabelled.tolist(), strict=True))
    write_csv(out / "confusion.csv", [["label \\ prediction", *names, "(no label)"], *rows])
    picture = io.BytesIO()
    Image.fromarray(draw_confusion(confusion, names)).save(picture, "PNG")
    write_atomic(out / "confusion.png", picture.getvalue())
    return metrics


def metrics_document(outcome: Outcome) -> dict[str, Any]:
    """Figures in per cent (no number is null), counts, every class, and the card."""
    figures = outcome.figures
    columns = [[finite(100 * float(value)) for value in figures[key]] for key in _BY_CLASS]
    classes = [
        {"name": name, **dict(zip(_BY_CLASS, values, strict=True))}
        for name, *values in zip(outcome.class_names, *columns, strict=True)
    ]
    return {
        **{key: finite(float(figures[key])) for key in FIGURES},
        "pictures": outcome.pictures,
        "scored": outcome.pictures - len(outcome.failed),
        "failed": len(outcome.failed),
        "pixels": int(outcome.regions.label_area.sum()),
        **{f"left_out_of_m{key}": sum(row[key] is None for row in classes) for key in ("IoU", "Acc")},
        "reliability": [
            {"pixels": int(pixels), "confidence": finite(float(confidence)), "accuracy": finite(float(accuracy))}
            for pixels, confidence, accuracy in zip(*(figures["ECE_bins"][key] for key in _RELIABILITY), strict=True)
        ],
        "classes": classes,
        "card": dict(outcome.card),
    }


def markdown(metrics: Mapping[str, Any]) -> str:
    """The figures as tables to be pasted: of the data set, and of every class."""
    card = metrics["card"]
    head = ["model", "data", "pictures", *(key.replace("_", " ") for key in FIGURES)]
    data = card["data"]["name"] + (f", protocol {card['like']}" if card["like"] else "")
    row = [card["model"], data, metrics["scored"], *(percent(metrics[key]) for key in FIGURES)]
    rows = [[entry["name"], *(percent(entry[key]) for key in _BY_CLASS)] for entry in metrics["classes"]]
    by_class = _table(["class", *(key.replace("_", " ") for key in _BY_CLASS)], rows, left=1)
    return f"{_table(head, [row], left=2)}\n{by_class}\nper cent; a dash: the class does not occur\n"


def percent(value: float | None) -> str:
    """Two decimals, or a dash where there is no figure."""
    return "-" if value is None else f"{value:.2f}"


def _table(head: Sequence[str], rows: Iterable[Sequence[Any]], *, left: int) -> str:
    """A markdown table whose first columns are to the left and the others to the right."""
    rule = ["---" if column < left else "---:" for column in range(len(head))]
    lines = ("| " + " | ".join(str(cell).replace("|", "\\|") for cell in row) + " |" for row in (head, rule, *rows))
    return "\n".join(lines) + "\n"


def _class_rows(classes: Sequence[Mapping[str, Any]], regions: MeanIoU) -> Iterable[list[Any]]:
    yield ["id", "class", *_BY_CLASS, "label_pixels", "predicted_pixels", "most_often_taken_for", "pixels"]
    confusion = regions.confusion
    for k, row in enumerate(classes):
        wrong = confusion[k].copy()
        wrong[k] = 0
        other, pixels = int(wrong.argmax()), int(wrong.max())
        taken = [classes[other]["name"], pixels] if pixels else ["", ""]
        figures = ["" if row[key] is None else f"{row[key]:.2f}" for key in _BY_CLASS]
        area = int(regions.label_area[k])
        yield [k, row["name"], *figures, area, int(confusion[:, k].sum()), *taken]
