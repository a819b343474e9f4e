"""The files of a timeline: csv, srt, json and the picture strip, each a core.stages.Writer. A short clip has none."""

from __future__ import annotations

import json
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

from densevl.engine.documents import csv_document
from video.clip_result import ClipResult
from video.timeline_strip import draw_strip, encode_strip
from video.watch import Timeline

UNSURE_NAME = "unsure"
_BEST = 5  # classes kept of each window


class TimelineCSV:
    """A row a segment: start_sec, end_sec, label, score, margin."""

    kind = "csv"

    def path(self, name: str) -> str:
        """timeline/NAME.csv."""
        return f"timeline/{name}.csv"

    def encode(self, name: str, result: ClipResult, content: object) -> bytes | None:
        """The table, or None for a short clip."""
        return None if result.timeline is None else encode_csv(result.timeline)


class TimelineSRT:
    """Subtitles: every segment's label while it lasts; unsure ones show nothing."""

    kind = "srt"

    def path(self, name: str) -> str:
        """timeline/NAME.srt."""
        return f"timeline/{name}.srt"

    def encode(self, name: str, result: ClipResult, content: object) -> bytes | None:
        """The subtitles, or None for a short clip."""
        return None if result.timeline is None else encode_srt(result.timeline)


class TimelineJSON:
    """Segments, and the best classes of every window."""

    kind = "json"

    def path(self, name: str) -> str:
        """timeline/NAME.json."""
        return f"timeline/{name}.json"

    def encode(self, name: str, result: ClipResult, content: object) -> bytes | None:
        """The document, or None for a short clip."""
        return None if result.timeline is None else encode_json(result.timeline)


class TimelineStrip:
    """Pictures over a bar of colours with a legend, as JPEG."""

    kind = "strip"

    def path(self, name: str) -> str:
        """timeline/NAME.jpg."""
        return f"timeline/{name}.jpg"

    def encode(self, name: str, result: ClipResult, content: object) -> bytes | None:
        """The drawing, or None for a short clip."""
        return None if result.timeline is None else encode_strip(draw_strip(result.timeline))


_ALL = (TimelineCSV(), TimelineSRT(), TimelineJSON(), TimelineStrip())
WRITERS: Mapping[str, Any] = MappingProxyType({writer.kind: writer for writer in _ALL})


def encode_csv(timeline: Timeline) -> bytes:
    """A row a segment."""
    rows = [
        [
            f"{part.start_sec:.3f}",
            f"{part.end_sec:.3f}",
            part.label or UNSURE_NAME,
            f"{part.score:.4f}",
            f"{part.margin:.4f}",
        ]
        for part in timeline.segments
    ]
    return csv_document([["start_sec", "end_sec", "label", "score", "margin"], *rows])


def encode_srt(timeline: Timeline) -> bytes:
    """SubRip: number, times, text, blank line."""
    sure = [part for part in timeline.segments if part.label is not None]
    blocks = [
        f"{number}\n{srt_time(part.start_sec)} --> {srt_time(part.end_sec)}\n{part.label} ({part.score:.0%})\n"
        for number, part in enumerate(sure, 1)
    ]
    return "\n".join(blocks).encode("utf-8", "replace")


def srt_time(seconds: float) -> str:
    """`01:23:45,678`."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}:{minutes % 60:02d}:{milliseconds // 1000:02d},{milliseconds % 1000:03d}"


def encode_json(timeline: Timeline) -> bytes:
    """Segments (label null: unsure) and windows with their best classes; times in seconds."""
    segments = [
        {
            "start_sec": round(part.start_sec, 3),
            "end_sec": round(part.end_sec, 3),
            "label": part.label,
            "score": round(part.score, 4),
            "margin": round(part.margin, 4),
        }
        for part in timeline.segments
    ]
    windows = [
        {
            "start_sec": round(start, 3),
            "end_sec": round(end, 3),
            "best": [[timeline.class_names[k], round(float(row[k]), 4)] for k in (-row).argsort(kind="stable")[:_BEST]],
        }
        for (start, end), row in zip(timeline.spans.tolist(), timeline.scores, strict=True)
    ]
    document = {"duration_sec": round(timeline.duration_sec, 3), "segments": segments, "windows": windows}
    return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace") + b"\n"
