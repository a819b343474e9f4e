"""The picture of a timeline: colours where the segments are."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.visualize import palette
from video.timeline import Segment
from video.timeline_strip import WIDTH, _clock, _draw_bar, _draw_frames, _legend_rows, draw_strip
from video.watch import Timeline

NAMES = tuple(f"class {k}" for k in range(30))


def timeline(*parts: tuple[float, str | None], pictures: int = 3) -> Timeline:
    segments, start = [], 0.0
    for end, label in parts:
        segments.append(Segment(start, end, label, 0.9, 0.8))
        start = end
    frames = tuple((float(k), np.full((32, 32, 3), 40 * k, dtype=np.uint8)) for k in range(pictures))
    return Timeline(NAMES, np.array([[0.0, start]]), np.ones((1, 30), np.float32), tuple(segments), frames)


def test_the_bar_has_the_colour_of_each_segment_at_its_time() -> None:
    bar = _draw_bar(timeline((5, "class 2"), (7.5, None), (10, "class 7")))
    colours = palette(30)
    for share, colour in ((0.1, colours[2]), (0.45, colours[2]), (0.6, (205, 206, 208)), (0.9, colours[7])):
        assert tuple(bar[10, int(share * WIDTH)]) == tuple(colour)


def test_a_segment_of_a_moment_in_a_long_video_is_drawn() -> None:
    bar = _draw_bar(timeline((1800, "class 0"), (1801, "class 1"), (3600, "class 0")))
    assert (bar[10] == palette(30)[1]).all(axis=1).any()


def test_pictures_stand_in_their_share_of_the_width() -> None:
    sheet = _draw_frames(timeline((10, "class 0"), pictures=4))
    for place in range(4):
        assert abs(int(sheet[sheet.shape[0] // 2, int((place + 0.5) * WIDTH / 4), 0]) - 40 * place) <= 1
    assert _draw_frames(timeline((10, "class 0"), pictures=0)).shape[1] == WIDTH


def test_the_legend_lists_the_longest_first_and_what_is_unsure_last() -> None:
    rows = _legend_rows(timeline((1, "class 3"), (6, "class 1"), (8, None), (10, "class 3")))
    assert [(row.name, row.share) for row in rows] == [("class 1", "50%"), ("class 3", "30%"), ("(unsure)", "20%")]


def test_a_legend_of_many_classes_ends_in_a_sum() -> None:
    rows = _legend_rows(timeline(*((k + 1.0, name) for k, name in enumerate(NAMES))))
    assert len(rows) == 21 and rows[-1].name == "+10 more" and rows[-1].share == "33%"


@pytest.mark.parametrize("end", [0.5, 10, 3600, 36_000, 1e6])
def test_any_length_is_drawn(end: float) -> None:
    drawing = draw_strip(timeline((end, "class 0")))
    assert drawing.dtype == np.uint8 and drawing.shape[1] >= WIDTH and drawing.shape[2] == 3


def test_clocks() -> None:
    assert [_clock(seconds) for seconds in (0, 83, 3723)] == ["0:00", "1:23", "1:02:03"]
