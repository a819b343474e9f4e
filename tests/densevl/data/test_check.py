from __future__ import annotations

import csv
import json
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from densevl.core.errors import UnknownNameError, UsageError
from densevl.data import check
from densevl.data.check import ClassCount, DataReport, Problem, SplitCount, find_kind, write_fix_list
from densevl.data.check_segmentation import check_segmentation

PROBLEMS = (
    Problem("b/2.mp4", "val", "missing", "line 3, 'a, b'", "fetch it anew"),
    Problem("b/3.mp4", "", "unreadable", "0 bytes", "fetch it anew"),
    Problem("b/4.mp4", "val", "missing", "line 9", "fetch it anew"),
)


def report(*splits: SplitCount) -> DataReport:
    return DataReport("kinetics", "b", 5, splits, PROBLEMS, frozenset({"unreadable"}))


def test_coverage_is_the_usable_share_of_all_splits() -> None:
    assert report(SplitCount("train", 6, 5, 5), SplitCount("val", 2, 2, 1)).coverage == 6 / 8
    assert report().coverage is None


def test_problems_are_counted_by_kind_and_only_some_kinds_fail() -> None:
    found = report()
    assert dict(found.counts) == {"missing": 2, "unreadable": 1}
    assert found.failed == 1


def test_a_report_is_plain_names_and_numbers() -> None:
    counted = DataReport("k", "b", 5, (), PROBLEMS[:1], frozenset(), ("n",), "voc21", (ClassCount(1, "sky", 9, 2),))
    assert json.loads(json.dumps(counted.as_dict())) == {
        "kind": "k",
        "dataset": "voc21",
        "folder": "b",
        "files": 5,
        "coverage": None,
        "splits": [],
        "counts": {"missing": 1},
        "problems": [vars(PROBLEMS[0])],
        "classes": [{"id": 1, "name": "sky", "pixels": 9, "pictures": 2}],
        "notes": ["n"],
    }


def test_the_fix_list_is_a_csv_with_a_row_for_each_problem(tmp_path: Path) -> None:
    write_fix_list(tmp_path / "new" / "fix.csv", PROBLEMS)
    rows = list(csv.DictReader((tmp_path / "new" / "fix.csv").open(encoding="utf-8")))
    assert [row["path"] for row in rows] == [problem.path for problem in PROBLEMS]
    assert rows[0] == {
        "path": "b/2.mp4",
        "split": "val",
        "problem": "missing",
        "detail": "line 3, 'a, b'",
        "action": "fetch it anew",
    }


def entries(*found: EntryPoint):
    return lambda group: [entry for entry in found if entry.group == group]


def test_a_kind_comes_from_whatever_package_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("mine", "densevl.data.check:write_fix_list", "densevl.data_kinds")
    monkeypatch.setattr(check, "entry_points", entries(entry))
    assert find_kind("mine") is write_fix_list


def test_segmentation_needs_no_other_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "entry_points", entries())
    assert find_kind("segmentation") is check_segmentation


def test_an_unknown_kind_is_told_with_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("kinetics", "nowhere:check", "densevl.data_kinds")
    monkeypatch.setattr(check, "entry_points", entries(entry))
    with pytest.raises(UnknownNameError, match=r"did you mean kinetics\?.*pip install -e"):
        find_kind("kinetic")
    monkeypatch.setattr(check, "entry_points", entries())
    with pytest.raises(UnknownNameError, match=r"known: segmentation\. .*pip install -e"):
        find_kind("kinetics")


@pytest.mark.parametrize("value", ["nowhere.at_all:check", "densevl.data.check:nothing"])
def test_a_broken_kind_is_told_as_such(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setattr(check, "entry_points", entries(EntryPoint("kinetics", value, "densevl.data_kinds")))
    with pytest.raises(UsageError, match="cannot be loaded"):
        find_kind("kinetics")
