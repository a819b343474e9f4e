"""Class lists with a structure of their own: csv with `id,name`, and JSON."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from typing import Any

from densevl.core.errors import ClassListError
from densevl.vocab.grammar import Entry, Finding, Reading, add_entry, read_pieces

_JSON_FORMS = '["sky", "car"], {"car": ["automobile"], "sky": []}, {"automobile": "car", "sky": "sky"} or {"0": "sky"}'

_Row = tuple[int, str, str]  # line, id, name


def is_csv(text: str) -> bool:
    """Whether the first line is the header of an `id,name` table."""
    return {"id", "name"} <= set(_header(text))


def _header(text: str) -> list[str]:
    first = text.lstrip().partition("\n")[0]
    return [cell.strip().strip('"').lower() for cell in first.split(",")]


def read_csv(text: str, source: str) -> Reading:
    """A table with the columns `id` and `name`, ids in any order; `;` in a name gives synonyms.

    Raises:
        ClassListError: no such header.
    """
    header = _header(text)
    if not is_csv(text):
        raise ClassListError(f"{source} line 1: expected the header 'id,name', got '{','.join(header)}'; add it")
    id_column, name_column = header.index("id"), header.index("name")
    rows: list[_Row] = []
    remarks = []
    for line, row in _csv_rows(text, source):
        if not any(cell.strip() for cell in row):
            remarks.append(Finding("empty", line, "nothing here", "remove it"))
        elif len(row) != len(header):
            message = f"expected {len(header)} cells, got {len(row)}"
            remarks.append(Finding("cells", line, message, 'put a name with a comma in "quotes"', fault=True))
        else:
            rows.append((line, row[id_column].strip(), row[name_column]))
    return _by_id(rows, remarks, source, unit="line")


def _csv_rows(text: str, source: str) -> list[tuple[int, list[str]]]:
    """Line number and cells of every row after the header."""
    reader = csv.reader(io.StringIO(text.rstrip()), strict=True)
    try:
        next(row for row in reader if row)  # the header
        return [(reader.line_num, row) for row in reader]
    except csv.Error as error:
        hint = "close every quote, and keep a name in one cell"
        raise ClassListError(f"{source} line {reader.line_num}: no valid csv ({error}); {hint}") from error


def _by_id(rows: list[_Row], noticed: list[Finding], source: str, *, unit: str) -> Reading:
    """Rows in the order of their ids, which must be 0..K-1, or 1..K (then id 1 becomes class 0)."""
    faults = [
        Finding("id", line, f"id '{key}' is no number", "number the classes 0..K-1", fault=True)
        for line, key, _ in rows
        if not key.isdecimal()
    ]
    rows = sorted((row for row in rows if row[1].isdecimal()), key=lambda row: int(row[1]))
    start = 1 if rows and int(rows[0][1]) == 1 else 0
    span = f"{start}..{start + len(rows) - 1}"
    wrong = ((line, key, expected) for expected, (line, key, _) in enumerate(rows, start) if int(key) != expected)
    for line, key, expected in list(wrong)[:1]:  # the first gap moves all that follow
        message = f"the ids of {len(rows)} classes must be {span}, each once; expected {expected}, got {key}"
        faults.append(Finding("id", line, message, "number the classes without gaps", fault=True))
    entries, remarks = read_pieces([(line, name) for line, _, name in rows], ";")
    if start == 1:
        remarks.append(Finding("ids-from-1", 0, "ids start at 1", "id 1 is class 0 here, id 2 is class 1, and so on"))
    rule = f"sorted by id ({span}), ';' and 'name: a, b' give synonyms"
    return Reading(source, unit, rule, tuple(entries), (*noticed, *faults, *remarks))


def read_json(text: str, source: str) -> Reading:
    """A list of names, {name: [synonyms]}, {prompt: class}, or {id: name}.

    Raises:
        ClassListError: no JSON, or none of these.
    """
    try:
        value = json.loads(text, object_pairs_hook=_Pairs)
    except json.JSONDecodeError as error:
        raise ClassListError(f"{source} line {error.lineno}: no valid JSON ({error.msg}); mend it there") from error
    except RecursionError as error:
        raise ClassListError(f"{source}: nested too deeply; expected {_JSON_FORMS}") from error
    if isinstance(value, _Pairs):
        return read_pairs(value.pairs, source)
    if isinstance(value, list):
        return read_sequence(value, source)
    raise ClassListError(f"{source}: expected {_JSON_FORMS}, got {type(value).__name__}")


class _Pairs:
    """A JSON object that keeps repeated keys."""

    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def read_sequence(items: Sequence[Any], source: str) -> Reading:
    """A list: an element is a class, written as a line of a file or as [name, synonym, ...].

    Raises:
        ClassListError: an element of another kind.
    """
    entries: list[Entry] = []
    remarks: list[Finding] = []
    for place, item in enumerate(items, 1):
        if isinstance(item, str):
            found, noticed = read_pieces([(place, item)], ";")
            entries, remarks = [*entries, *found], [*remarks, *noticed]
        elif _is_words(item) and item:
            add_entry(place, item, entries, remarks)
        else:
            raise ClassListError(f"{source} entry {place}: expected a name or [name, synonym, ...], got {item!r}")
    rule = "an element is a class, ';' and 'name: a, b' give synonyms"
    return Reading(source, "entry", rule, tuple(entries), tuple(remarks))


def read_pairs(pairs: Sequence[tuple[str, Any]], source: str) -> Reading:
    """{name: [synonyms]}, {prompt: class} or {id: name}, in the order written.

    Raises:
        ClassListError: values of another kind.
    """
    values = [value for _, value in pairs]
    if all(isinstance(value, str) for value in values):
        if all(key.isdecimal() for key, _ in pairs):
            rows = [(place, key, name) for place, (key, name) in enumerate(pairs, 1)]
            return _by_id(rows, [], source, unit="entry")
        return _by_prompt(pairs, source)
    if all(_is_words(value) for value in values):
        entries: list[Entry] = []
        remarks: list[Finding] = []
        for place, (name, words) in enumerate(pairs, 1):
            add_entry(place, [name, *words], entries, remarks)
        return Reading(source, "entry", "{name: [synonyms]}", tuple(entries), tuple(remarks))
    raise ClassListError(f"{source}: expected {_JSON_FORMS}; here the values are of other or of several kinds")


def _by_prompt(pairs: Sequence[tuple[str, str]], source: str) -> Reading:
    """{prompt: class}: a class stands where it is first named, and is asked for with its prompts alone."""
    prompts: dict[str, list[str]] = {}
    places: dict[str, int] = {}
    for place, (prompt, name) in enumerate(pairs, 1):
        prompts.setdefault(name, []).append(prompt)
        places.setdefault(name, place)
    entries: list[Entry] = []
    remarks: list[Finding] = []
    for name, words in prompts.items():
        add_entry(places[name], [name, *words], entries, remarks, prompts_only=True)
    return Reading(source, "entry", "{prompt: class}", tuple(entries), tuple(remarks))


def _is_words(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str) and all(isinstance(word, str) for word in value)


def read_mapping(mapping: Mapping[str, Any], source: str) -> Reading:
    """A Python dict of the same forms."""
    return read_pairs(list(mapping.items()), source)
