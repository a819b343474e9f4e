from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

from densevl.cli.app import main
from tests.clips import make_clip
from tests.densevl.data.labelled_folders import make_ade20k, make_set, write_labels
from tests.entry_points import install_entry_points


@pytest.fixture
def clips(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three clips of four on the list, one of them empty."""
    install_entry_points(tmp_path / "site", monkeypatch)
    folder = tmp_path / "clips"
    folder.mkdir()
    for number in range(2):
        make_clip(folder / f"{number}.mp4", frames=10 + number, size=(32, 64))
    (folder / "2.mp4").touch()
    (folder / "val.txt").write_text("0.mp4 0\n1.mp4 0\n2.mp4 1\n3.mp4 1\n")
    return folder


def run(*argv: object) -> int:
    return main(["check-data", *map(str, argv)])


def test_too_small_a_coverage_ends_with_3_and_says_what_is_wrong(clips: Path, capsys) -> None:
    assert run(clips, "--kind", "kinetics") == 3
    shown = capsys.readouterr().out
    assert "val           4        3        2    50.00%" in shown
    assert "missing: 1" in shown
    assert f"{clips / '2.mp4'}: the file is empty (0 bytes)" in shown
    assert "coverage 50.00%: too little (--min-coverage 0.98)" in shown


def test_enough_coverage_ends_with_6_while_a_file_cannot_be_read_and_with_0_when_all_can(clips: Path, capsys) -> None:
    assert run(clips, "--kind", "kinetics", "--min-coverage", 0.5) == 6
    assert "enough" in capsys.readouterr().out
    (clips / "2.mp4").unlink()
    assert run(clips, "--kind", "kinetics", "--min-coverage", 0.5) == 0
    (clips / "val.txt").write_text("0.mp4 0\n1.mp4 0\n")
    assert run(clips, "--kind", "kinetics") == 0


def test_json_holds_the_whole_report(clips: Path, capsys) -> None:
    run(clips, "--kind", "kinetics", "--json")
    report = json.loads(capsys.readouterr().out)
    assert report["coverage"] == 0.5
    assert report["splits"] == [{"name": "val", "expected": 4, "found": 3, "usable": 2}]
    assert report["counts"] == {"missing": 1, "unreadable": 1}
    assert [Path(problem["path"]).name for problem in report["problems"]] == ["3.mp4", "2.mp4"]


def test_the_fix_list_holds_every_problem_where_the_screen_shows_some(clips: Path, tmp_path: Path, capsys) -> None:
    (clips / "val.txt").write_text("".join(f"x{number}.mp4 0\n" for number in range(9)))
    assert run(clips, "--kind", "kinetics", "--decode", "none", "--fix-list", tmp_path / "fix.csv") == 3
    assert "... and 4 more" in capsys.readouterr().out
    rows = list(csv.DictReader((tmp_path / "fix.csv").open(encoding="utf-8")))
    assert sum(row["problem"] == "missing" for row in rows) == 9


def test_a_list_of_ones_own_takes_the_place_of_those_in_the_folder(clips: Path, tmp_path: Path, capsys) -> None:
    (tmp_path / "mine.txt").write_text("0.mp4 0\n")
    assert run(clips, "--kind", "kinetics", "--list", tmp_path / "mine.txt", "--json") == 6
    assert json.loads(capsys.readouterr().out)["splits"][0]["name"] == "mine"


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (["--kind", "kinetics", "--dataset", "voc21"], "--kind segmentation"),
        (["--kind", "kinetics", "--classes", "sky"], "--kind segmentation"),
        (["--ignore", "x"], "got 'x'"),
        (["--kind", "kinetic"], "did you mean kinetics?"),
        (["--kind", "kinetics", "--min-coverage", "98"], "from 0 to 1"),
        (["--kind", "kinetics", "--workers", "0"], "1 or more"),
        (["--kind", "kinetics", "--timeout", "0"], "seconds above 0, got 0.0"),
    ],
)
def test_wrong_flags_end_with_2(clips: Path, capsys, flags: list[str], told: str) -> None:
    assert run(clips, *flags) == 2
    assert told in capsys.readouterr().err


def test_coverage_without_a_list_cannot_be_asked_for(clips: Path, capsys) -> None:
    (clips / "val.txt").unlink()
    assert run(clips, "--kind", "kinetics", "--min-coverage", 0.9) == 2
    assert "--list FILE" in capsys.readouterr().err
    assert run(clips, "--kind", "kinetics") == 6
    assert "no list" in capsys.readouterr().out


def test_a_folder_that_fits_no_data_set_ends_with_3(clips: Path, capsys) -> None:
    assert run(clips) == 3
    assert "fits no data set we know" in capsys.readouterr().err


def test_a_folder_that_is_not_there_ends_with_3(clips: Path, capsys) -> None:
    assert run(clips / "nowhere", "--kind", "kinetics") == 3
    assert "nowhere" in capsys.readouterr().err


def test_pictures_and_annotations_are_the_kind_that_need_not_be_named(tmp_path: Path, capsys) -> None:
    make_ade20k(tmp_path / "ade", [0, 1, 1, 150])
    assert run(tmp_path / "ade", "--fix-list", tmp_path / "fix.csv") == 3
    shown = capsys.readouterr().out
    assert "4 files (segmentation, ade20k)" in shown
    assert "validation      2000        2        2     0.10%" in shown
    assert "taken for ade20k: it has images/validation and annotations/validation" in shown
    rows = [line.split() for line in shown.splitlines()]
    assert ["flag", "2", "33.3333%"] in rows and ["wall", "2", "66.6667%"] in rows
    assert "2 of 150 classes occur; never: building, sky, floor, tree, ceiling, ..." in shown
    assert run(tmp_path / "ade", "--min-coverage", 0.001) == 0


def test_a_set_of_ones_own_names_its_classes_and_ids_outside_end_with_6(tmp_path: Path, capsys) -> None:
    make_set(tmp_path, [0, 1])
    assert run(tmp_path) == 2
    assert "add --classes" in capsys.readouterr().err
    assert run(tmp_path, "--classes", "sky; sea") == 0
    assert "2 of 2 classes occur" in capsys.readouterr().out
    write_labels(tmp_path / "labels" / "a.png", [2])
    assert run(tmp_path, "--classes", "sky; sea", "--min-coverage", 0.5, "--json", "--dataset", "folders") == 6
    report = json.loads(capsys.readouterr().out)
    assert report["counts"] == {"ids": 1}
    assert [count["name"] for count in report["classes"]] == ["sky", "sea"]
    assert "ids count from 1" in " ".join(report["notes"])
    assert run(tmp_path, "--classes", "sky; sea", "--ignore", 2) == 0
    write_labels(tmp_path / "labels" / "b.png", [0, 1])
    assert run(tmp_path, "--classes", "sky; sea", "--reduce-zero-label") == 0
    (tmp_path / "labels" / "b.png").unlink()
    assert run(tmp_path, "--classes", "sky; sea", "--ignore", 2, "--min-coverage", 0.5) == 6  # eval would stop
