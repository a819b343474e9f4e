"""The documents of a run, from rows to bytes."""

from __future__ import annotations

import csv
import io
import json
from datetime import datetime, timezone
from pathlib import Path

import numpy as np
import pytest

from densevl.core.structures import Segmentation
from densevl.engine.journal import Record
from densevl.engine.pipeline import Failure, RunCount
from densevl.tasks.run_documents import (
    RunResult,
    classes_document,
    failed_document,
    picture_row,
    report_rows,
    run_document,
    summary_document,
)
from densevl.vocab import parse_classes

RESULT = Segmentation(
    label_map=np.array([[0, 1], [1, 255]], np.uint8),
    confidence=np.ones((2, 2), np.float32),
    doubt_map=np.array([[0.25]], np.float32),
    class_names=("cat", "sky, blue"),
)
RECORD = Record("sub/a", "hash", "settings", {}, picture_row(RESULT, Path("in/sub/a.jpg")))


def test_a_row_counts_pixels_and_is_json() -> None:
    row = picture_row(RESULT, Path("in/a.jpg"))
    assert json.loads(json.dumps(row)) == {"source": "in/a.jpg", "size": [2, 2], "doubt": 0.25, "pixels": [1, 2, 1]}


def test_the_summary_has_shares_that_sum_to_one_and_quotes_commas() -> None:
    (row,) = csv.DictReader(io.StringIO(summary_document([RECORD], RESULT.class_names).decode()))
    assert row == {
        "name": "sub/a",
        "source": "in/sub/a.jpg",
        "width": "2",
        "height": "2",
        "doubt": "0.25",
        "no label": "0.250000",
        "cat": "0.250000",
        "sky, blue": "0.500000",
    }


def test_failed_inputs_are_listed_with_their_reason() -> None:
    text = failed_document([Failure(3, "b", 'cut off, "here"')]).decode()
    assert list(csv.reader(io.StringIO(text))) == [["name", "reason"], ["b", 'cut off, "here"']]


def test_classes_have_ids_words_and_different_colours() -> None:
    document = json.loads(classes_document(parse_classes("cat; sky, clouds")))
    assert document["no_label"] == 255
    assert [(entry["id"], entry["words"]) for entry in document["classes"]] == [(0, ["cat"]), (1, ["sky", "clouds"])]
    assert document["classes"][0]["colour"] != document["classes"][1]["colour"]


def test_the_gallery_links_overlays_only_where_they_were_written() -> None:
    (row,) = report_rows([RECORD], RESULT.class_names, with_overlay=True)
    assert row.overlay == "overlay/sub/a.jpg"
    assert row.areas == {"cat": pytest.approx(0.25), "sky, blue": pytest.approx(0.5)}
    assert report_rows([RECORD], RESULT.class_names, with_overlay=False)[0].overlay is None


def test_a_result_says_what_was_done_and_where_to_look() -> None:
    result = RunResult.of(Path("out"), RunCount(1, 0, (), 2.0))
    assert result.sentence() == f"densevl: 1 picture done; see {Path('out/report.html')}"
    result = RunResult.of(Path("out"), RunCount(1, 2, (Failure(3, "b", "cut off"),), 2.0))
    first, second = result.sentence("clip", "predictions.csv").splitlines()
    assert first == f"densevl: 3 clips done (2 were done already); see {Path('out/predictions.csv')}"
    assert second == f"densevl: 1 failed, the first: cut off. List: {Path('out/failed.csv')}"
    assert result.as_dict()["failed"] == [{"name": "b", "reason": "cut off"}]


def test_the_record_of_a_run_has_its_settings_times_and_versions() -> None:
    started = datetime(2020, 1, 1, tzinfo=timezone.utc)
    result = RunResult.of(Path("out"), RunCount(1, 0, (), 2.0))
    document = json.loads(run_document({"model": "m"}, result, started=started, batch_size=3))
    assert document["started"] == "2020-01-01T00:00:00+00:00" < document["ended"]
    assert (document["settings"], document["batch_size"], document["done"]) == ({"model": "m"}, 3, 1)
    assert document["versions"]
