"""Documents of an evaluation, read back."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import DataError
from densevl.metrics import MeanIoU
from densevl.tasks.evaluation_documents import Outcome, write_documents

NAMES = ("a", "b | c, d", "never")
CARD = {"model": "tiny", "like": "trident", "data": {"name": "memory"}}


def outcome(**changes: Any) -> Outcome:
    regions = MeanIoU(3)
    # four pixels of a: two right, one taken for b, one without a label; one of b, right; one that is not scored
    regions.update(np.array([[0, 0, 1, 255, 1, 2]]), np.array([[0, 0, 0, 0, 1, 255]]))
    bins = {"pixels": np.array([4, 0]), "confidence": np.array([0.3, np.nan]), "accuracy": np.array([0.75, np.nan])}
    figures = {
        "ECE_bins": bins,
        **regions.compute(),
        "boundary_mIoU": np.nan,
        "boundary_IoU": [0.5, np.nan, np.nan],
        "ECE": 12.345,
    }
    return Outcome(
        **{
            "figures": figures,
            "regions": regions,
            "class_names": NAMES,
            "pictures": 2,
            "failed": (("x/y", "gone, with a comma"),),
            "card": CARD,
            **changes,
        }
    )


def table(path: Path) -> list[list[str]]:
    with path.open(newline="", encoding="utf-8") as stream:
        return list(csv.reader(stream))


@pytest.fixture
def written(tmp_path: Path) -> Path:
    metrics = write_documents(tmp_path, outcome())
    assert json.loads((tmp_path / "metrics.json").read_text()) == metrics
    return tmp_path


def test_figures_are_per_cent_and_what_is_no_number_is_null(written: Path) -> None:
    metrics = json.loads((written / "metrics.json").read_text())
    assert metrics["mIoU"] == pytest.approx(50.0) and metrics["mAcc"] == pytest.approx(75.0)
    assert metrics["reliability"] == [
        {"pixels": 4, "confidence": 0.3, "accuracy": 0.75},
        {"pixels": 0, "confidence": None, "accuracy": None},
    ]
    assert (metrics["boundary_mIoU"], metrics["ECE"]) == (None, 12.345)
    assert metrics["classes"][0] == {"name": "a", "IoU": 50.0, "Acc": 50.0, "boundary_IoU": 50.0}
    assert metrics["classes"][2] == {"name": "never", "IoU": None, "Acc": None, "boundary_IoU": None}
    assert (metrics["pictures"], metrics["scored"], metrics["failed"], metrics["pixels"]) == (2, 1, 1, 5)
    assert (metrics["left_out_of_mIoU"], metrics["left_out_of_mAcc"], metrics["card"]) == (1, 1, CARD)


def test_every_class_has_its_row_and_what_it_is_taken_for(written: Path) -> None:
    rows = table(written / "per_class.csv")
    assert rows[1] == ["0", "a", "50.00", "50.00", "50.00", "4", "2", NAMES[1], "1"]
    assert rows[2] == ["1", NAMES[1], "50.00", "100.00", "", "1", "2", "", ""]
    assert rows[3] == ["2", "never", "", "", "", "0", "0", "", ""]


def test_the_confusion_has_a_column_for_pixels_without_a_label(written: Path) -> None:
    rows = table(written / "confusion.csv")
    assert rows[0][1:] == [*NAMES, "(no label)"]
    assert rows[1:] == [["a", "2", "1", "0", "1"], [NAMES[1], "0", "1", "0", "0"], ["never", "0", "0", "0", "0"]]


def test_the_markdown_is_two_tables_whose_rows_have_the_columns_of_their_head(written: Path) -> None:
    lines = (written / "metrics.md").read_text().splitlines()
    assert lines[0].startswith("| model | data | pictures | mIoU |")
    assert lines[2].startswith("| tiny | memory, protocol trident | 1 | 50.00 | 75.00 |")
    assert any(line.startswith("| b \\| c, d | 50.00 |") for line in lines)
    for block in "\n".join(lines).split("\n\n")[:2]:
        cells = [line.replace("\\|", "").count("|") for line in block.splitlines() if line.startswith("|")]
        assert len(set(cells)) == 1, block


def test_failed_pictures_are_listed_with_their_reason(written: Path) -> None:
    assert table(written / "failed.csv") == [["name", "reason"], ["x/y", "gone, with a comma"]]


def test_the_picture_is_a_picture(written: Path) -> None:
    with Image.open(written / "confusion.png") as picture:
        assert picture.mode == "RGB" and min(picture.size) > 100


def test_without_a_scored_picture_there_is_the_list_of_failures_alone(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"none of the 1 pictures.*x/y: gone"):
        write_documents(tmp_path, outcome(pictures=1))
    assert [path.name for path in tmp_path.iterdir()] == ["failed.csv"]
