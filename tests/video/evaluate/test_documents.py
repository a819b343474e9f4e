"""Tables of an evaluation, read back."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.engine.journal import Record
from densevl.metrics import ClassificationReport
from video.evaluate.documents import write_documents
from video.lists import ClipList

NAMES = ("a", "b, with a comma", "c")


def answered(index: int, label: int, *best: int, rank: int) -> Record:
    row = {
        "path": f"{index}.mp4",
        "label": label,
        "top": [[k, 0.5 / (1 + n)] for n, k in enumerate(best)],
        "rank": rank,
    }
    return Record(str(index), "sha", "settings", {}, {**row, "note": ""})


@pytest.fixture
def written(tmp_path: Path) -> Path:
    records = [
        answered(0, 0, 0, 1, rank=0),
        answered(1, 0, 1, 0, rank=1),
        answered(2, 0, 1, 2, rank=2),
        Record("3", "", "settings", {}, {"path": "3.mp4", "label": 1}, "3.mp4: gone"),
    ]
    report = ClassificationReport(3)
    report.update_ranked(np.array([0, 1, 1]), np.array([0, 1, 2]), np.array([0, 0, 0]))
    report.miss(np.array([1]))
    clips = ClipList(tuple(Path(f"{k}.mp4") for k in range(4)), (0, 0, 0, 1), NAMES, "list")
    metrics = write_documents(tmp_path, clips, records, report, {"model": "m"})
    assert (metrics["missing"], metrics["unanswered"], metrics["card"]) == (1, 1, {"model": "m"})
    return tmp_path


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


def test_every_class_has_its_row_and_what_it_is_taken_for(written: Path) -> None:
    rows = table(written / "per_class.csv")
    assert rows[1] == ["0", "a", "3", "33.33", "100.00", NAMES[1], "2"]
    assert rows[2] == ["1", NAMES[1], "1", "0.00", "0.00", "", ""]
    assert rows[3] == ["2", "c", "0", "", "", "", ""]  # no clip: no figure


def test_the_confusion_has_a_column_for_clips_without_an_answer(written: Path) -> None:
    rows = table(written / "confusion.csv")
    assert rows[0][1:] == [*NAMES, "(no answer)"]
    assert rows[1:] == [["a", "1", "2", "0", "0"], [NAMES[1], "0", "0", "0", "1"], ["c", "0", "0", "0", "0"]]
    assert sum(int(cell) for row in rows[1:] for cell in row[1:]) == 4


def test_every_listed_clip_has_a_row_in_order(written: Path) -> None:
    rows = table(written / "predictions.csv")
    assert rows[1] == ["0.mp4", "a", "a", "0.500000", "1", f"a 0.5000; {NAMES[1]} 0.2500", ""]
    assert rows[3][4] == "3"
    assert rows[4] == ["3.mp4", NAMES[1], "", "", "", "", "not read: see failed.csv"]
    assert table(written / "failed.csv")[1:] == [["3.mp4", "3.mp4: gone"]]


def test_the_picture_is_a_picture(written: Path) -> None:
    with Image.open(written / "confusion.png") as picture:
        assert picture.mode == "RGB" and min(picture.size) > 100
