"""Class names of a video data set, in the order of their labels.

- csv with the columns `id,name`: the order of the rows, as the published lists of X-CLIP and ViFi-CLIP are read; ids
  that say otherwise are named in a warning;
- text with a number before every name (UCF101's classInd.txt) or JSON `{name: number}`: the order of the numbers;
- every other form of `densevl.vocab`: a name a line, `a; b; c`, a JSON list, a Python list: the order written.
"""

from __future__ import annotations

import csv
import io
import json
import logging
import os
import re
from collections.abc import Sequence
from pathlib import Path

from densevl.core.errors import ClassListError
from densevl.vocab import parse_classes

logger = logging.getLogger(__name__)

_NUMBERED = re.compile(r"(\d+)[\s,]+(\S.*)")


def read_class_names(classes: str | Path | Sequence[str]) -> tuple[str, ...]:
    """K class names; the label of a clip is a place in them, from 0 on.

    Args:
        classes: a file, text such as `archery; bowling`, or names.

    Raises:
        ClassListError: no such file, it cannot be read, holds no class, or a name twice; says file and line.
    """
    text = _file_text(classes)
    rows = _tabled_rows(text, str(classes)) if text is not None else None
    if rows is None:
        return parse_classes(classes).names
    return _checked(rows, str(classes))


_Row = tuple[int, str]  # line, name


def _file_text(classes: str | Path | Sequence[str]) -> str | None:
    if not isinstance(classes, (str, Path)) or "\n" in str(classes) or not os.path.isfile(classes):
        return None
    try:
        return Path(classes).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError):
        return None  # parse_classes says what is wrong with it


def _tabled_rows(text: str, source: str) -> list[_Row] | None:
    """Lines and names of the forms that carry numbers; None for any other form."""
    lines = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    header = [cell.strip().lower() for cell in lines[0][1].split(",")] if lines else []
    if {"id", "name"} <= set(header):
        return _rows_of_table(text, source)
    if text.lstrip().startswith("{"):
        return _rows_of_mapping(text, source)
    numbered = [(line, _NUMBERED.fullmatch(content)) for line, content in lines]
    if not lines or not all(found for _, found in numbered):
        return None
    return _by_number([(line, int(found[1]), found[2]) for line, found in numbered if found], source)


def _rows_of_table(text: str, source: str) -> list[_Row]:
    reader = csv.DictReader(io.StringIO(text), skipinitialspace=True)
    reader.fieldnames = [name.strip().lower() for name in reader.fieldnames or ()]
    rows: list[_Row] = []
    ids: list[str] = []
    for row in reader:
        if None in row or row["name"] is None:
            what = f"expected {len(reader.fieldnames)} cells"
            raise ClassListError(f'{source} line {reader.line_num}: {what}; put a name with a comma in "quotes"')
        rows.append((reader.line_num, row["name"].strip()))
        ids.append((row["id"] or "").strip())
    for place, (line, _) in enumerate(rows):
        if ids[place] != str(place):
            told = f"id {ids[place] or '(none)'} stands on row {place}, and the row counts"
            logger.warning("%s line %d: %s, as in X-CLIP's lists; label %d is this class", source, line, told, place)
            break
    return rows


def _rows_of_mapping(text: str, source: str) -> list[_Row] | None:
    """`{"riding a bike": 0}`, with or without a second pair of quotes."""
    try:
        mapping = json.loads(text)
    except json.JSONDecodeError:
        return None
    if not mapping or not all(isinstance(value, int) for value in mapping.values()):
        return None
    return _by_number([(0, value, name.strip('" ')) for name, value in mapping.items()], source)


def _by_number(rows: list[tuple[int, int, str]], source: str) -> list[_Row]:
    """Rows in the order of their numbers, which must be 0..K-1 or 1..K."""
    rows = sorted(rows, key=lambda row: row[1])
    start = min(rows[0][1], 1)
    for expected, (line, number, name) in enumerate(rows, start):
        if number != expected:
            span = f"{start}..{start + len(rows) - 1}"
            place = f"{source} line {line}" if line else source
            message = f'the numbers of {len(rows)} classes must be {span}, each once; "{name}" has {number}'
            raise ClassListError(f"{place}: {message}; number them without gaps")
    return [(line, name) for line, _, name in rows]


def _checked(rows: list[_Row], source: str) -> tuple[str, ...]:
    first: dict[str, int] = {}
    for place, (line, name) in enumerate(rows):
        where = f"{source} line {line}" if line else source
        if not name:
            raise ClassListError(f"{where}: a class without a name; write its name")
        if name in first:
            raise ClassListError(f'{where}: "{name}" is already class {first[name]}; remove one')
        first[name] = place
    if not rows:
        raise ClassListError(f"{source}: no class in it; write a row for each class below the header")
    return tuple(name for _, name in rows)
