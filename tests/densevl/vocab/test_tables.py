from pathlib import Path

import pytest

from densevl.core.errors import ClassListError
from densevl.vocab.classes import find_faults, parse_classes
from densevl.vocab.tables import read_csv, read_json, read_mapping, read_sequence


def names(reading):
    return [entry.name for entry in reading.entries]


def fault_lines(reading):
    return [(fault.kind, fault.line) for fault in find_faults(reading)]


@pytest.mark.parametrize("first", [0, 1])
def test_csv_rows_are_put_in_the_order_of_their_ids(first):
    rows = [(first + 2, "c"), (first, "a"), (first + 1, "b")]
    found = read_csv("id,name\n" + "\n".join(f"{key},{name}" for key, name in rows), "f")
    assert names(found) == ["a", "b", "c"]
    assert [entry.line for entry in found.entries] == [3, 4, 2]
    assert [remark.kind for remark in found.remarks] == (["ids-from-1"] if first else [])


def test_csv_names_may_be_quoted_have_synonyms_and_be_called_nan():
    found = read_csv('id,name\n0,"putting x, y on z"\n1,car; auto\n2,nan\n', "f")
    assert names(found) == ["putting x, y on z", "car", "nan"]
    assert found.entries[1].queries == ("car", "auto")


def test_csv_columns_are_found_by_their_names():
    assert names(read_csv("name,ratio,ID\nsky,0.1,0\n", "f")) == ["sky"]


@pytest.mark.parametrize(
    ("rows", "fault"),
    [
        ("0,a\n2,b", ("id", 3)),
        ("0,a\n0,b", ("id", 3)),
        ("2,a\n3,b", ("id", 2)),
        ("0,a\nx,b", ("id", 3)),
        ("0,a\n1,b,c", ("cells", 3)),
        ("0,a\n-1,b", ("id", 3)),
    ],
)
def test_csv_ids_with_gaps_and_broken_rows_are_faults_with_their_lines(rows, fault):
    assert fault_lines(read_csv(f"id,name\n{rows}\n", "f")) == [fault]


def test_csv_without_its_header_says_so():
    with pytest.raises(ClassListError, match=r"line 1.*id,name"):
        read_csv("sky\ncar\n", "f.csv")


def test_json_lists_take_names_lines_and_lists():
    found = read_json('["sky", "car; auto", ["bus", "coach"], "bed "]', "f")
    assert [(entry.line, *entry.queries) for entry in found.entries] == [
        (1, "sky"),
        (2, "car", "auto"),
        (3, "bus", "coach"),
        (4, "bed"),
    ]


def test_json_objects_of_names_and_synonyms():
    found = read_json('{"car": ["auto"], "sky": []}', "f")
    assert [(entry.name, entry.queries) for entry in found.entries] == [("car", ("car", "auto")), ("sky", ("sky",))]


def test_json_objects_of_prompts_ask_with_the_prompts_alone():
    found = read_json('{"red car": "vehicle", "sky": "sky", "bus": "vehicle"}', "f")
    assert [(entry.name, entry.queries) for entry in found.entries] == [
        ("vehicle", ("red car", "bus")),
        ("sky", ("sky",)),
    ]


def test_json_objects_of_ids_are_sorted():
    assert names(read_json('{"1": "car", "0": "sky"}', "f")) == ["sky", "car"]


def test_json_keys_given_twice_are_seen():
    assert fault_lines(read_json('{"car": ["a"], "sky": [], "car": ["b"]}', "f")) == [("duplicate", 3)]


@pytest.mark.parametrize("text", ["{", "3", '{"a": 1}', '{"a": ["b"], "c": "d"}', "[1]", '[{"name": "a"}]', "[[]]"])
def test_json_of_another_form_is_refused(text):
    with pytest.raises(ClassListError, match=r"f\.json"):
        read_json(text, "f.json")


def test_broken_json_names_its_line():
    with pytest.raises(ClassListError, match=r"f\.json line 2"):
        read_json('["a",\n"b"', "f.json")


def test_python_lists_and_dicts_are_read_as_json_ones():
    assert read_sequence(["a", ("b", "c")], "x").entries == read_json('["a", ["b", "c"]]', "x").entries
    assert read_mapping({"a": ["b"]}, "x").entries == read_json('{"a": ["b"]}', "x").entries


@pytest.mark.parametrize(
    "text", ['[["","car"],"sky"]', '{"":["car"],"sky":[]}', '{"car":[""],"sky":[]}', '{"":"sky","car":"x"}', '[["  "]]']
)
def test_an_empty_name_or_synonym_in_json_is_a_fault(text: str, tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_text(text)
    with pytest.raises(ClassListError, match="empty"):
        parse_classes(path)


def test_blanks_and_line_ends_in_json_become_one_blank(tmp_path: Path) -> None:
    path = tmp_path / "classes.json"
    path.write_text('[["traffic\\n light", " a  b "], "sky"]')
    assert parse_classes(path).synonyms == (("traffic light", "a b"), ("sky",))


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.json", "[" * 100_000 + "]" * 100_000),
        ("a.csv", 'id,name\n0,"cat\n1,dog\n'),
        ("a.csv", "id,name\n0," + "x" * 200_000),
    ],
    ids=["nested", "open quote", "long cell"],
)
def test_files_that_a_parser_gives_up_on_are_faulty_class_lists(name: str, text: str, tmp_path: Path) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ClassListError, match=name):
        parse_classes(path)
