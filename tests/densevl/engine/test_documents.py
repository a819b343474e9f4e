"""Files of tables and figures, read back."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

from densevl.engine.documents import csv_document, finite, json_document, write_csv, write_json


def test_rows_come_back_from_the_csv_with_commas_and_quotes(tmp_path: Path) -> None:
    rows = [["name", "a, b"], ['say "x"', "ä"]]
    write_csv(tmp_path / "t.csv", rows)
    with (tmp_path / "t.csv").open(newline="", encoding="utf-8") as stream:
        assert list(csv.reader(stream)) == rows
    assert (tmp_path / "t.csv").read_bytes() == csv_document(rows) and b"\r" not in csv_document(rows)


def test_a_name_that_is_no_utf8_keeps_its_bytes() -> None:
    name = os.fsdecode(b"\xff.png")
    assert csv_document([[name]]) == b"\xff.png\n"
    assert b"\xff.png" in json_document({"name": name})


def test_json_is_indented_and_ends_with_a_line(tmp_path: Path) -> None:
    write_json(tmp_path / "v.json", {"a": [1, "ü"]})
    text = (tmp_path / "v.json").read_bytes()
    assert json.loads(text) == {"a": [1, "ü"]} and text.endswith(b"}\n") and "ü".encode() in text


def test_what_is_no_number_is_null_in_json() -> None:
    assert [finite(value) for value in (float("nan"), 1.5, 3, "text")] == [None, 1.5, 3, "text"]
