import json

import numpy as np
import pytest
from PIL import Image

from densevl.cli import evaluate
from densevl.cli.app import make_parser
from densevl.core.errors import ClassListError, DataError, UsageError

# rows: annotated, predicted; 4 classes of which `d` occurs nowhere, 9 is not labelled
GT = [[0, 0, 1, 1, 2, 9]]
PRED = [[0, 1, 1, 1, 2, 0]]
BY_HAND = {"a": (50.0, 50.0), "b": (200 / 3, 100.0), "c": (100.0, 100.0), "d": (None, None)}


@pytest.fixture
def folders(tmp_path):
    for kind, rows in (("pred", PRED), ("gt", GT)):
        for name in ("x.png", "s/y.png"):
            path = tmp_path / kind / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.array(rows, dtype=np.uint8)).save(path)
    return tmp_path


def run(folder, *argv, pred="pred"):
    words = ["eval", "masks", "--pred", str(folder / pred), "--gt", str(folder / "gt"), *argv]
    return evaluate.run(make_parser({"eval": evaluate}).parse_args(words))


def report(capsys, folder, *argv, **where):
    assert run(folder, *argv, "--json", **where) == 0
    return json.loads(capsys.readouterr().out)


def test_figures_in_json_equal_those_by_hand(folders, capsys):
    found = report(capsys, folders, "--classes", "a; b; c; d", "--ignore", "9")
    for row in found["classes"]:
        assert (row["IoU"], row["Acc"]) == pytest.approx(BY_HAND[row["name"]]), row
    assert found["mIoU"] == pytest.approx((50 + 200 / 3 + 100) / 3)
    assert found["mAcc"] == pytest.approx(250 / 3)
    assert found["aAcc"] == pytest.approx(80.0)
    assert (found["pictures"], found["without_annotation"]) == (2, 0)
    assert (found["left_out_of_mIoU"], found["left_out_of_mAcc"]) == (1, 1)


def test_the_table_shows_two_decimals_and_says_what_is_left_out(folders, capsys):
    assert run(folders, "--classes", "a; b; c; d", "--ignore", "9") == 0
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["b", "66.67", "100.00"] in rows
    assert ["d", "-", "-"] in rows
    assert ["mIoU", "72.22"] in rows
    assert ["aAcc", "80.00"] in rows
    assert any("left out" in " ".join(row) for row in rows)


def test_annotations_scored_against_themselves_are_right_everywhere(folders, capsys):
    found = report(capsys, folders, "--classes", "a; b; c", "--ignore", "9", pred="gt")
    assert (found["mIoU"], found["aAcc"]) == (100.0, 100.0)


@pytest.mark.parametrize("flags", [["--ignore", "9", "--ignore", "0"], ["--ignore", "9,0"]])
def test_several_ids_can_be_ignored(folders, capsys, flags):
    found = report(capsys, folders, "--classes", "a; b; c", *flags)
    assert found["classes"][0]["Acc"] is None
    assert found["aAcc"] == pytest.approx(100.0)


def test_zero_labels_can_be_reduced(folders, capsys):
    found = report(capsys, folders, "--classes", "b; c; d", "--ignore", "9", "--reduce-zero-label")
    assert [row["Acc"] for row in found["classes"]] == [0.0, 0.0, None]


def test_the_output_folder_of_a_run_stands_for_its_labels(folders, capsys):
    (folders / "out").mkdir()
    (folders / "pred").rename(folders / "out" / "labels")
    assert report(capsys, folders, "--classes", "a; b; c", "--ignore", "9", pred="out")["pictures"] == 2


def test_an_evaluation_without_its_label_maps_says_how_to_get_them(folders):
    (folders / "pred" / "metrics.json").write_text("{}")
    with pytest.raises(DataError, match="--save-labels"):
        run(folders, "--classes", "a; b; c", "--ignore", "9")


def test_predictions_without_an_annotation_are_told_on_stderr(folders, capsys):
    (folders / "gt" / "x.png").unlink()
    assert run(folders, "--classes", "a; b; c", "--ignore", "9", "--json") == 0
    printed = capsys.readouterr()
    assert "1 predictions have no annotation: x" in printed.err
    assert json.loads(printed.out)["without_annotation"] == 1


@pytest.mark.parametrize(
    ("flags", "kind"),
    [
        (["--classes", "a; b; c", "--ignore", "nine"], UsageError),
        (["--classes", "a; b; c"], DataError),
        (["--classes", "a; a", "--ignore", "9"], ClassListError),
    ],
)
def test_what_does_not_fit_is_an_error_of_its_kind(folders, flags, kind):
    with pytest.raises(kind):
        run(folders, *flags)
