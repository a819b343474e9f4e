from __future__ import annotations

import logging
from pathlib import Path

import pytest

from densevl.core.errors import ClassListError
from video.class_names import read_class_names

NAMES = ("archery", "riding a bike", "nan")


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,name\n0,archery\n1,riding a bike\n2,nan\n"),
        ("a.csv", '\ufeffname, id\n"archery",0\nriding a bike,1\nnan,2\n'),
        ("a.txt", "archery\nriding a bike\nnan\n"),
        ("classInd.txt", "1 archery\n3 nan\n2 riding a bike\n"),
        ("a.txt", "0, archery\n1, riding a bike\n2, nan\n"),
        ("a.json", '["archery", "riding a bike", "nan"]'),
        ("a.json", '{"nan": 2, "\\"riding a bike\\"": 1, "archery": 0}'),
        ("a.json", '{"0": "archery", "2": "nan", "1": "riding a bike"}'),
    ],
)
def test_every_published_form_gives_the_same_names(tmp_path: Path, name: str, text: str) -> None:
    assert read_class_names(write(tmp_path / name, text)) == NAMES


def test_text_and_lists_are_class_names_too() -> None:
    assert read_class_names("archery; riding a bike; nan") == NAMES
    assert read_class_names(list(NAMES)) == NAMES


def test_in_a_csv_the_order_of_the_rows_counts_and_other_ids_are_told(tmp_path: Path, caplog) -> None:
    path = write(tmp_path / "a.csv", "id,name\n1,riding a bike\n0,archery\n")
    with caplog.at_level(logging.WARNING):
        assert read_class_names(path) == ("riding a bike", "archery")
    assert "line 2" in caplog.text
    assert "id 1" in caplog.text


def test_ids_in_order_are_not_worth_a_word(tmp_path: Path, caplog) -> None:
    with caplog.at_level(logging.WARNING):
        read_class_names(write(tmp_path / "a.csv", "id,name\n0,a\n1,b\n"))
    assert caplog.text == ""


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("id,name\n0,a\n1,b\n2,a\n", 'line 4: "a" is already class 0'),
        ("id,name\n0,a\n1,\n", "line 3: a class without a name"),
        ("id,name\n0,a, b\n", "line 2: expected 2 cells"),
        ("id,name\n0\n", "line 2: expected 2 cells"),
        ("id,name\n", "no class in it"),
        ("0 a\n2 b\n", 'line 2: the numbers of 2 classes must be 0..1, each once; "b" has 2'),
        ("1 a\n1 b\n", "must be 1..2"),
    ],
)
def test_a_faulty_class_file_is_told_with_its_line(tmp_path: Path, text: str, told: str) -> None:
    path = write(tmp_path / "classes.csv", text)
    with pytest.raises(ClassListError) as caught:
        read_class_names(path)
    assert told in str(caught.value)
    assert "classes.csv" in str(caught.value)


def test_a_missing_class_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ClassListError, match=r"nowhere\.csv"):
        read_class_names(str(tmp_path / "nowhere.csv"))
    with pytest.raises(ClassListError, match=r"nowhere\.csv"):
        read_class_names(tmp_path / "nowhere.csv")
