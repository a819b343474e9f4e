"""The tables of a run, from what its journal keeps."""

from __future__ import annotations

import csv
import io

import numpy as np
import pytest

from densevl.engine.journal import Record
from tests.video.test_timeline_files import NAMES, TIMELINE
from video.clip_result import ClipResult, clip_row, predictions_document, summary_document
from video.results import ClipPrediction


def records(*results: ClipResult) -> list[Record]:
    return [Record(f"n{k}", "", "", {}, clip_row(result, f"p/n{k}.mp4")) for k, result in enumerate(results)]


def short(*scores: float) -> ClipResult:
    names = tuple(f"class {k}" for k in range(len(scores)))
    return ClipResult(ClipPrediction(names, np.array(scores, dtype=np.float32)), 2.5)


def rows(document: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(document.decode())))


def test_a_clip_has_its_label_and_the_next_best() -> None:
    (row,) = rows(predictions_document(records(short(0.02, 0.5, 0.2, 0.15, 0.08, 0.05))))
    assert row["path"] == "p/n0.mp4" and row["seconds"] == "2.5" and row["segments"] == ""
    assert (row["label"], row["score"], row["margin"]) == ("class 1", "0.5000", "0.3000")
    assert [row[f"label{k}"] for k in (2, 3, 4, 5)] == ["class 2", "class 3", "class 4", "class 5"]
    assert row["score5"] == "0.0500" and "label6" not in row


def test_a_short_class_list_leaves_columns_empty() -> None:
    (row,) = rows(predictions_document(records(short(0.4, 0.6))))
    assert row["label2"] == "class 0" and row["label3"] == row["score5"] == ""


def test_a_long_video_has_its_overall_label_and_the_number_of_segments() -> None:
    (row,) = rows(predictions_document(records(ClipResult(TIMELINE.overall, 8.25, TIMELINE))))
    assert row["label"] == NAMES[0] and row["segments"] == "3"
    assert float(row["score"]) == pytest.approx(1.6 / 3, abs=1e-4)


def test_the_summary_counts_short_clips_and_the_seconds_of_long_ones() -> None:
    clips = [ClipResult(ClipPrediction(NAMES, np.array(pair, np.float32)), 3.0) for pair in ((0.9, 0.1), (0.8, 0.2))]
    document = summary_document(records(*clips, ClipResult(TIMELINE.overall, 8.25, TIMELINE)), NAMES)
    assert rows(document) == [
        {"label": NAMES[0], "clips": "2", "timeline_sec": "3.000"},
        {"label": NAMES[1], "clips": "0", "timeline_sec": "3.125"},
    ]
