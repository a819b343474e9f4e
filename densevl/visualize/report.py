"""The report of a run: one page without network, whose pictures are the overlays beside it."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densevl.visualize.palette import palette

_TEMPLATE = Path(__file__).with_name("report.html")


@dataclass(frozen=True)
class ReportRow:
    """One picture of a run.

    Attributes:
        name: output name.
        overlay: path of its overlay relative to the report; None where none was written.
        doubt: 0..1, of the whole picture.
        areas: share of the picture, 0..1, by class name.
    """

    name: str
    overlay: str | None
    doubt: float
    areas: Mapping[str, float]


def write_report(
    rows: Iterable[ReportRow], *, title: str, settings: Mapping[str, object], class_names: Sequence[str]
) -> bytes:
    """The page as UTF-8 HTML: a gallery that sorts by doubt or name, filters by class and text, and opens large.

    Args:
        rows: the pictures of the run.
        title: heading of the page.
        settings: shown as they are, for whoever repeats the run.
        class_names: K names in the order of their ids, for the colours of the overlays.
    """
    ids = {name: k for k, name in enumerate(class_names)}
    data = {
        "classes": [
            [_text(name), "#" + colour.tobytes().hex()]
            for name, colour in zip(class_names, palette(len(class_names)), strict=True)
        ],
        "rows": [_packed(row, ids) for row in rows],
        "settings": [[_text(key), _text(value)] for key, value in settings.items()],
    }
    # "<" ends no script and opens no comment when it is written as an escape; JSON needs it in strings only.
    script = json.dumps(data, ensure_ascii=False, separators=(",", ":")).replace("<", "\\u003c")
    parts = {"TITLE": html.escape(_text(title)), "DATA": script}
    page = re.sub(r"\{\{(TITLE|DATA)\}\}", lambda found: parts[found[1]], _TEMPLATE.read_text(encoding="utf-8"))
    return page.encode("utf-8")


def _packed(row: ReportRow, ids: Mapping[str, int]) -> list[Any]:
    """[name, overlay, doubt, [[class, share], ...]], the largest share first."""
    shares = sorted(((ids[name], share) for name, share in row.areas.items() if share > 0), key=lambda item: -item[1])
    return [
        _text(row.name),
        None if row.overlay is None else _text(row.overlay),
        round(row.doubt, 4),
        [[k, round(share, 4)] for k, share in shares],
    ]


def _text(value: object) -> str:
    return str(value).encode("utf-8", "replace").decode()
