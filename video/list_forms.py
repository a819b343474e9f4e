"""How a list of clips is written: five forms of file become one table of rows; nothing is judged here.

form                       a row is read as
text                       `path label`, cut behind the last clip suffix (`my clips/a.mp4 riding a bike`: both keep
                           their blanks), in a line without one before a last number, at its only comma, or at
                           the last blank
csv of two columns         path, label (quotes may hold commas; with or without the header `path,label`)
csv of Kinetics            label, youtube_id, time_start, time_end, split: any order, further columns are ignored
JSON                       [{"path": .., "label": ..}], [[path, label]] or {path: label}
JSON of Kinetics           {youtube_id: {"annotations": {"label": .., "segment": [..]}, "subset": ..}}
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from densevl.core.errors import DataError
from densevl.data.frames import CLIP_SUFFIXES
from video.clip_files import Moment

_SEPARATOR = r"(\s*,\s*|\s+)"
_SUFFIX = "|".join(map(re.escape, CLIP_SUFFIXES))
_LINES = (  # path, separator, label; the first that fits
    re.compile(r'"([^"]+)"(\s+)(.+)'),
    re.compile(rf"(.*(?:{_SUFFIX})){_SEPARATOR}(.+)", re.IGNORECASE),
    re.compile(rf"(.*[^,\s]){_SEPARATOR}(\d+)"),
    re.compile(r"([^,]*[^,\s])(\s*,\s*)([^,]+)"),
    re.compile(rf"(.*[^,\s]){_SEPARATOR}([^,\s]+)"),
)
_NUMBERS = re.compile(r"\d+([,\s]+\d+)+")  # some lists name the number of frames before the label
_QUOTE = 'take the surplus away, or put a field that holds a comma in "quotes"'
_MOMENT_COLUMNS = ("youtube_id", "time_start", "time_end")
_JSON_FORMS = '[{"path": "a.mp4", "label": 0}], [["a.mp4", 0]], {"a.mp4": 0} or the JSON of Kinetics'


class ClipListError(DataError):
    """A list of clips that cannot be used; says file, line and what to do."""


@dataclass(frozen=True)
class ListRow:
    """One row as written.

    Attributes:
        line: where, counted from 1.
        path: as written; empty where the row names a moment of a video instead.
        label: a number or a class name; empty if there is none.
        moment: the id and the times of Kinetics' own lists.
        split: what its column says.
    """

    line: int
    path: str = ""
    label: str = ""
    moment: Moment | None = None
    split: str = ""

    @property
    def shown(self) -> str:
        """`path 'my clip.mp4', label '3'`: how the row was read."""
        name = f"clip {self.moment.stem}" if self.moment else f"path '{self.path}'"
        return f"{name}, label '{self.label}'" if self.label else f"{name}, no label"


@dataclass(frozen=True)
class ListFile:
    """A list file as it was read.

    Attributes:
        source: the file.
        rule: how rows were told apart, in words.
        rows: in the order of the file.
        unit: what `line` counts: `line` or `entry`.
    """

    source: str
    rule: str
    rows: tuple[ListRow, ...]
    unit: str = "line"

    def where(self, row: ListRow) -> str:
        """`train.txt line 7`."""
        return f"{self.source} {self.unit} {row.line}"


def read_rows(file: Path) -> ListFile:
    """Read a list file in whatever form it is.

    Raises:
        ClipListError: it is absent, no text, of no known form, or empty.
    """
    try:
        text = file.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise ClipListError(f"cannot read the list {file}: {error.strerror}; check the path") from error
    except UnicodeDecodeError as error:
        raise ClipListError(f"{file}: no UTF-8 text (byte {error.start}); save the list as UTF-8") from error
    if file.suffix.lower() == ".json":
        found = _read_json(text, str(file))
    else:
        found = _read_table(text, str(file)) or _read_lines(text, str(file))
    if not found.rows:
        raise ClipListError(f"{file}: the list is empty; write a line 'path label' for each clip")
    return found


def _read_lines(text: str, source: str) -> ListFile:
    lines = ((number, line.strip()) for number, line in enumerate(text.split("\n"), 1))
    rows = tuple(_read_line(number, line, source) for number, line in lines if line)
    looks_like_names = rows and re.fullmatch(r"\w+", rows[0].path) and re.fullmatch(r"[^\W\d]\w*", rows[0].label)
    if looks_like_names and len(rows) > 1 and all(row.path.lower().endswith(CLIP_SUFFIXES) for row in rows[1:]):
        what = f"{rows[0].shown} looks like a header; expected the columns 'path,label', or no header"
        raise ClipListError(f"{source} line {rows[0].line}: {what}; rename its columns, or remove it")
    return ListFile(source, "a path ends behind a clip's suffix, or at the last blank; the rest is the label", rows)


def _read_line(number: int, line: str, source: str) -> ListRow:
    cells = next(csv.reader([line], skipinitialspace=True)) if line.startswith('"') else ()
    if len(cells) == 2:
        return ListRow(number, cells[0].strip(), _unquoted(cells[1]))
    found = next(filter(None, (form.fullmatch(line) for form in _LINES)), None)
    if found is None or found[3].lower().endswith(CLIP_SUFFIXES):
        return ListRow(number, line)
    path, separator, label = found.groups()
    if ("," in separator and "," in label) or _NUMBERS.fullmatch(label):
        expected = f"expected a path and one label, got the path '{path}' and '{label}'"
        raise ClipListError(f"{source} line {number}: {expected}; {_QUOTE}")
    return ListRow(number, path, _unquoted(label))


def _read_table(text: str, source: str) -> ListFile | None:
    """A csv with a header we know, or with two cells in every row; None for anything else."""
    try:
        table = list(_csv_rows(text))
    except csv.Error:
        return None
    if not table:
        return None
    header = [cell.strip().lower() for cell in table[0][1]]
    if set(_MOMENT_COLUMNS) <= set(header):
        return _read_moments(table, header, source)
    if {"path", "label"} <= set(header):
        return _two_columns(table[1:], header, source, "the columns path and label")
    if all(len(cells) == 2 and _is_pair(*cells) for _, cells in table):
        return _two_columns(table, ["path", "label"], source, "the first column is the path, the second the label")
    return None


def _is_pair(path: str, label: str) -> bool:
    """Whether the comma between them is no part of a path, as in `a, b.mp4 3`."""
    return path.strip().lower().endswith(CLIP_SUFFIXES) or label.strip().isdecimal()


def _csv_rows(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text), skipinitialspace=True)
    for cells in reader:
        if any(cell.strip() for cell in cells):
            yield reader.line_num, cells


def _two_columns(table: list[tuple[int, list[str]]], header: list[str], source: str, rule: str) -> ListFile:
    rows = []
    columns = header.index("path"), header.index("label")
    for line, cells in table:
        if any(cells[len(header) :]):
            what = f"expected {len(header)} cells ({', '.join(header)}), got {len(cells)}"
            raise ClipListError(f"{source} line {line}: {what}; {_QUOTE}")
        path, label = (cells[column].strip() if column < len(cells) else "" for column in columns)
        rows.append(ListRow(line, path, label))
    return ListFile(source, rule, tuple(rows))


def _read_moments(table: list[tuple[int, list[str]]], header: list[str], source: str) -> ListFile:
    """Kinetics' own csv; copies differ in the order of the columns, and lists for testing may have no labels."""
    rows = []
    for line, cells in table[1:]:
        if len(cells) != len(header):
            expected = f"expected {len(header)} cells ({', '.join(header)}), got {len(cells)}"
            raise ClipListError(f"{source} line {line}: {expected}; mend the row")
        row = dict(zip(header, (cell.strip() for cell in cells), strict=True))
        moment = _moment(row["youtube_id"], (row["time_start"], row["time_end"]), f"{source} line {line}")
        rows.append(ListRow(line, "", _unquoted(row.get("label", "")), moment, row.get("split", "")))
    return ListFile(source, f"Kinetics' csv with the columns {', '.join(header)}", tuple(rows))


def _moment(youtube_id: str, times: tuple[Any, Any], where: str) -> Moment:
    try:
        seconds = [float(value) for value in times]
        start, end = map(int, seconds)
    except (TypeError, ValueError, OverflowError):
        seconds, start, end = [0, 0], 0, 0
    if seconds != [start, end]:
        what = f"expected whole seconds, as file names hold them, got start {times[0]}, end {times[1]}"
        raise ClipListError(f"{where}: {what}; write the seconds that the clip was cut at")
    if not youtube_id or not 0 <= start < end:
        what = f"id '{youtube_id}', start '{times[0]}', end '{times[1]}'"
        raise ClipListError(f"{where}: expected an id and two ascending times in seconds, got {what}; mend the row")
    return Moment(youtube_id, start, end)


def _unquoted(label: Any) -> str:
    return "" if label is None else str(label).strip().strip('"').strip()


def _read_json(text: str, source: str) -> ListFile:
    try:
        value = json.loads(text)
    except (json.JSONDecodeError, RecursionError) as error:
        raise ClipListError(f"{source}: no valid JSON ({error}); mend it there") from error
    if isinstance(value, Mapping) and value and all(isinstance(entry, Mapping) for entry in value.values()):
        return _read_json_moments(value, source)
    entries = list(value.items()) if isinstance(value, Mapping) else value
    if not isinstance(entries, list):
        raise ClipListError(f"{source}: expected {_JSON_FORMS}, got {type(value).__name__}")
    rows = [_json_row(place, entry, source) for place, entry in enumerate(entries, 1)]
    return ListFile(source, "JSON of paths and labels", tuple(rows), "entry")


def _json_row(place: int, entry: Any, source: str) -> ListRow:
    if isinstance(entry, Mapping):
        path, label = entry.get("path", entry.get("filename")), entry.get("label")
    elif isinstance(entry, (list, tuple)) and len(entry) == 2:
        path, label = entry
    else:
        path, label = None, None
    if not isinstance(path, str) or not isinstance(label, (str, int, type(None))) or isinstance(label, bool):
        raise ClipListError(f"{source} entry {place}: expected {_JSON_FORMS}, got {entry!r}; one label a clip")
    return ListRow(place, path, _unquoted(label))


def _read_json_moments(value: Mapping[str, Mapping[str, Any]], source: str) -> ListFile:
    rows = []
    for place, (youtube_id, entry) in enumerate(value.items(), 1):
        annotation = entry.get("annotations")
        segment = annotation.get("segment") if isinstance(annotation, Mapping) else None
        if not isinstance(segment, list) or len(segment) != 2:
            raise ClipListError(f'{source} entry {place}: expected "annotations" with a "segment" [start, end]')
        moment = _moment(youtube_id, (segment[0], segment[1]), f"{source} entry {place}")
        rows.append(ListRow(place, "", _unquoted(annotation.get("label")), moment, str(entry.get("subset", ""))))
    return ListFile(source, "Kinetics' JSON", tuple(rows), "entry")
