import json

import pytest

from densevl.cli import check_classes
from densevl.cli.app import make_parser
from densevl.core.errors import ClassListError


def run(*argv):
    args = make_parser({"check-classes": check_classes}).parse_args(["check-classes", *argv])
    return check_classes.run(args)


def test_a_clean_list_is_shown_class_by_class(capsys):
    assert run("camvid") == 0
    shown = capsys.readouterr().out.splitlines()
    assert shown[0].startswith("camvid: 11 classes, 11 queries (")
    assert shown[1].split() == ["0", "sky", "line", "2"]
    assert shown[-1] == "0 faults, 0 warnings"
    assert len(shown) == 13


def test_warnings_keep_the_exit_code_and_say_where_and_what(capsys):
    assert run("dog, cat; trafficlight") == 0
    shown = capsys.readouterr().out
    assert "asked for with: dog, cat" in shown
    assert 'warning: --classes class 2: "trafficlight"' in shown
    assert 'did you mean "traffic light"? [glued]' in shown


def test_a_faulty_list_is_shown_whole_and_exits_with_3(tmp_path, capsys):
    file = tmp_path / "c.txt"
    file.write_text("car\ncar\ntrafficlight\n")
    assert run(str(file)) == 3
    shown = capsys.readouterr().out
    assert f'fault: {file} line 2: "car" is already a class on line 1' in shown
    assert "[glued]" in shown
    assert "1 fault, 2 warnings" in shown


def test_json_is_one_object_with_classes_and_findings(capsys):
    assert run("car, auto; car", "--json") == 3
    report = json.loads(capsys.readouterr().out)
    assert report["usable"] is False
    assert report["classes"][0] == {"line": 1, "name": "car", "queries": ["car", "auto"]}
    assert {"kind": "duplicate", "line": 2, "fault": True}.items() <= report["findings"][-1].items()
    assert run("road; car; sky; tree", "--json") == 0
    assert json.loads(capsys.readouterr().out)["usable"] is True


def test_a_file_that_is_not_there_is_a_class_list_error():
    with pytest.raises(ClassListError, match="no such file"):
        run("nofile.txt")
