"""The picture of a timeline: frames above a bar of colours, times below, and a legend."""

from __future__ import annotations

import io

import cv2
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from densevl.visualize import palette
from densevl.visualize.legend import PAPER, LegendRow, attach_legend
from video.watch import Timeline

WIDTH = 1440  # pixels
_LARGEST_FRAME, _BAR, _TICKS, _GAP = 160, 40, 30, 6
_MOST_TICKS = 12
_STEPS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200)  # seconds
_INK, _UNSURE = (28, 30, 33), (205, 206, 208)
_MOST_ROWS = 20
_JPEG_QUALITY = 90


def draw_strip(timeline: Timeline) -> np.ndarray:
    """[H, W, 3] uint8 RGB; a class has the colour it has in `segment`, moments without a sure class are grey."""
    frames = _draw_frames(timeline)
    bar = _draw_bar(timeline)
    return attach_legend(np.concatenate([frames, bar]), _legend_rows(timeline))


def encode_strip(drawing: np.ndarray) -> bytes:
    """As JPEG."""
    stream = io.BytesIO()
    Image.fromarray(drawing).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()


def _draw_frames(timeline: Timeline) -> np.ndarray:
    """The pictures side by side, each in the middle of its share of the width."""
    count = max(1, len(timeline.pictures))
    cell = WIDTH // count
    side = min(cell - 2, _LARGEST_FRAME)
    sheet = np.full((side + 2 * _GAP, WIDTH, 3), PAPER, dtype=np.uint8)
    for place, (_, frame) in enumerate(timeline.pictures):
        left = place * cell + (cell - side) // 2
        sheet[_GAP : _GAP + side, left : left + side] = cv2.resize(frame, (side, side), interpolation=cv2.INTER_AREA)
    return sheet


def _draw_bar(timeline: Timeline) -> np.ndarray:
    sheet = Image.new("RGB", (WIDTH, _BAR + _TICKS), PAPER)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(14)
    colours = _colours(timeline)
    scale = WIDTH / timeline.duration_sec
    for part in sorted(timeline.segments, key=lambda part: part.start_sec - part.end_sec):  # a moment stays on top
        left = min(round(part.start_sec * scale), WIDTH - 1)
        right = max(round(part.end_sec * scale) - 1, left)
        pen.rectangle((left, 0, right, _BAR - 1), fill=colours.get(part.label, _UNSURE))
    step = next((step for step in _STEPS if timeline.duration_sec / step <= _MOST_TICKS), _STEPS[-1])
    for second in range(0, int(timeline.duration_sec) + 1, step):
        x = min(round(second * scale), WIDTH - 1)
        pen.line((x, _BAR, x, _BAR + 5), fill=_INK)
        text = _clock(second)
        length = font.getlength(text)
        pen.text((min(max(x - length / 2, 2), WIDTH - length - 2), _BAR + 8), text, fill=_INK, font=font)
    return np.asarray(sheet)


def _colours(timeline: Timeline) -> dict[str | None, tuple[int, int, int]]:
    table = palette(len(timeline.class_names)).tolist()
    return {name: tuple(colour) for name, colour in zip(timeline.class_names, table, strict=True)}


def _legend_rows(timeline: Timeline) -> list[LegendRow]:
    """Classes by their time, the longest first, then what is unsure."""
    seconds: dict[str | None, float] = {}
    for part in timeline.segments:
        seconds[part.label] = seconds.get(part.label, 0.0) + part.end_sec - part.start_sec
    unsure = seconds.pop(None, 0.0)
    colours, total = _colours(timeline), timeline.duration_sec
    longest = sorted(seconds, key=lambda name: -seconds[name])
    rows = [LegendRow(colours[name], str(name), _share(seconds[name] / total)) for name in longest[:_MOST_ROWS]]
    if len(longest) > _MOST_ROWS:
        rest = sum(seconds[name] for name in longest[_MOST_ROWS:])
        rows.append(LegendRow(None, f"+{len(longest) - _MOST_ROWS} more", _share(rest / total)))
    if unsure:
        rows.append(LegendRow(_UNSURE, "(unsure)", _share(unsure / total)))
    return rows


def _share(share: float) -> str:
    return f"{share:.0%}" if share >= 0.01 else "<1%"


def _clock(seconds: int) -> str:
    """`1:23`, or `1:02:03` from an hour on."""
    minutes, seconds = divmod(seconds, 60)
    return f"{minutes // 60}:{minutes % 60:02d}:{seconds:02d}" if minutes >= 60 else f"{minutes}:{seconds:02d}"
