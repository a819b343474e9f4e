"""The files of a timeline, read back."""

from __future__ import annotations

import csv
import io
import json

import numpy as np
import pytest
from PIL import Image

from video.clip_result import ClipResult
from video.results import ClipPrediction
from video.timeline import Segment
from video.timeline_files import WRITERS, encode_csv, encode_json, encode_srt, srt_time
from video.watch import Timeline

NAMES = ("a, with a comma", "b")
TIMELINE = Timeline(
    NAMES,
    np.array([[0.0, 4.0], [2.0, 6.0], [4.0, 8.25]]),
    np.array([[0.9, 0.1], [0.5, 0.5], [0.2, 0.8]], dtype=np.float32),
    (
        Segment(0.0, 3.0, NAMES[0], 0.9, 0.8),
        Segment(3.0, 5.125, None, 0.5, 0.0),
        Segment(5.125, 8.25, "b", 0.8, 0.6),
    ),
)


def test_the_table_has_a_row_a_segment() -> None:
    rows = list(csv.DictReader(io.StringIO(encode_csv(TIMELINE).decode())))
    assert rows[0] == {
        "start_sec": "0.000",
        "end_sec": "3.000",
        "label": "a, with a comma",
        "score": "0.9000",
        "margin": "0.8000",
    }
    assert [row["label"] for row in rows] == ["a, with a comma", "unsure", "b"]


def test_subtitles_are_numbered_and_leave_unsure_moments_out() -> None:
    assert encode_srt(TIMELINE).decode() == (
        "1\n00:00:00,000 --> 00:00:03,000\na, with a comma (90%)\n\n2\n00:00:05,125 --> 00:00:08,250\nb (80%)\n"
    )


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "00:00:00,000"), (59.9996, "00:01:00,000"), (3723.4, "01:02:03,400")]
)
def test_times_of_subtitles(seconds: float, text: str) -> None:
    assert srt_time(seconds) == text


def test_the_document_has_segments_and_windows_with_their_best() -> None:
    document = json.loads(encode_json(TIMELINE))
    assert document["duration_sec"] == 8.25
    assert [part["label"] for part in document["segments"]] == ["a, with a comma", None, "b"]
    assert document["windows"][2] == {"start_sec": 4.0, "end_sec": 8.25, "best": [["b", 0.8], ["a, with a comma", 0.2]]}


@pytest.mark.parametrize("kind", WRITERS)
def test_a_short_clip_has_no_such_file_and_a_long_one_always_the_same_bytes(kind: str) -> None:
    writer = WRITERS[kind]
    prediction = ClipPrediction(NAMES, np.array([0.6, 0.4], dtype=np.float32))
    assert writer.encode("x", ClipResult(prediction, 3.0), None) is None
    result = ClipResult(prediction, 8.25, TIMELINE)
    data = writer.encode("x", result, None)
    assert data and data == writer.encode("x", result, None)
    assert writer.path("sub/x").startswith("timeline/sub/x.")


def test_the_strip_is_a_picture() -> None:
    data = WRITERS["strip"].encode("x", ClipResult(TIMELINE.overall, 8.25, TIMELINE), None)
    assert Image.open(io.BytesIO(data)).format == "JPEG"
