from __future__ import annotations

import threading
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import DataError, UsageError
from densevl.data import check_segmentation as check_segmentation_module
from densevl.data.check import CheckRequest, DataReport
from densevl.data.check_segmentation import check_segmentation
from tests.densevl.data.labelled_folders import (
    make_ade20k,
    make_cityscapes,
    make_coco,
    make_set,
    make_voc,
    write_labels,
    write_picture,
)

CLASSES = {"classes": "sky; sea; land"}
OWN = CheckRequest(changes=CLASSES)


def problems(report: DataReport) -> dict[str, list[str]]:
    found = defaultdict(list)
    for problem in report.problems:
        found[problem.kind].append(Path(problem.path).name)
    return dict(found)


def notes(report: DataReport) -> str:
    return "\n".join(report.notes)


def test_a_whole_set_has_no_problems_however_much_is_decoded(tmp_path: Path) -> None:
    make_set(tmp_path, [0, 1, 2, 255])
    for decode in ("none", "first", "all"):
        report = check_segmentation(tmp_path, CheckRequest(decode=decode, workers=2, changes=CLASSES))
        assert report.problems == ()
        assert report.coverage == 1
        assert report.files == 4
        assert [vars(split) for split in report.splits] == [{"name": "images", "expected": 2, "found": 2, "usable": 2}]
        assert bool(report.classes) == (decode != "none")


def test_every_kind_of_problem_is_found_at_its_file(tmp_path: Path) -> None:
    make_set(tmp_path, names="abcdefg")
    images, labels = tmp_path / "images", tmp_path / "labels"
    (images / "a.jpg").unlink()
    (labels / "b.png").unlink()
    (labels / "c.png").write_bytes(b"")
    (images / "d.jpg").write_bytes(b"no picture")
    write_labels(labels / "e.png", [0], size=(6, 4))
    Image.new("RGB", (6, 4)).save(labels / "f.png")
    write_labels(labels / "g.png", [0, 9])
    report = check_segmentation(tmp_path, OWN)
    assert problems(report) == {
        "missing": ["a.*", "b.*"],
        "unreadable": ["c.png", "d.jpg"],
        "sizes": ["e.png"],
        "colours": ["f.png"],
        "ids": ["g.png"],
    }
    assert report.failed == 7
    assert (report.splits[0].expected, report.splits[0].found, report.splits[0].usable) == (7, 5, 0)
    details = {problem.kind: problem.detail for problem in report.problems}
    assert details["sizes"] == "4x6, its picture is 6x4"
    assert details["colours"] == "holds colours (RGB), not ids"
    assert details["ids"].startswith("ids 9 outside 0..2, likely ")
    assert "`densevl eval` would stop: " in notes(report)


def test_annotations_of_any_other_kind_are_told_once_with_their_path_and_cause(tmp_path: Path) -> None:
    make_set(tmp_path, names="abcd")
    labels = tmp_path / "labels"
    Image.new("LA", (6, 4)).save(labels / "a.png")
    (labels / "b.png").unlink()
    Image.new("F", (6, 4)).save(labels / "b.tif")
    (labels / "c.png").write_bytes(b"")
    details = {Path(p.path).name: (p.kind, p.detail) for p in check_segmentation(tmp_path, OWN).problems}
    assert details["a.png"] == ("colours", "holds colours (LA), not ids")
    assert details["b.tif"] == ("colours", "holds floats, not ids")
    assert details["c.png"] == ("unreadable", "cannot be read as a label map: it is empty (0 bytes); write it again")


def test_folders_with_nothing_in_them_are_an_error(tmp_path: Path) -> None:
    make_set(tmp_path, names="")
    (tmp_path / "images").mkdir()
    (tmp_path / "labels").mkdir()
    with pytest.raises(DataError, match=r"no pictures in .*images"):
        check_segmentation(tmp_path, OWN)


def test_a_picture_that_is_cut_off_is_seen_when_all_is_decoded(tmp_path: Path) -> None:
    make_set(tmp_path, suffixes=(".png", ".png"))
    noise = np.random.default_rng(0).integers(0, 255, (64, 64, 3), dtype=np.uint8)
    picture = tmp_path / "images" / "a.png"
    Image.fromarray(noise).save(picture)
    write_labels(tmp_path / "labels" / "a.png", [0], size=(64, 64))
    picture.write_bytes(picture.read_bytes()[:4000])
    assert check_segmentation(tmp_path, OWN).problems == ()
    report = check_segmentation(tmp_path, CheckRequest(decode="all", changes=CLASSES))
    assert problems(report) == {"unreadable": ["a.png"]}


def test_a_picture_that_is_turned_by_exif_fits_its_annotation(tmp_path: Path) -> None:
    make_set(tmp_path, names="a")
    write_picture(tmp_path / "images" / "a.jpg", turned=True)
    assert check_segmentation(tmp_path, OWN).problems == ()


def test_counts_are_against_the_published_split(tmp_path: Path) -> None:
    report = check_segmentation(make_ade20k(tmp_path), CheckRequest())
    assert report.dataset == "ade20k"
    assert [vars(split) for split in report.splits] == [
        {"name": "validation", "expected": 2000, "found": 2, "usable": 2}
    ]
    assert "2 names here, 2000 as published" in notes(report)


def test_only_what_a_split_names_belongs_to_it(tmp_path: Path) -> None:
    make_voc(tmp_path, listed=("a", "c"), names=("a", "b"))
    report = check_segmentation(tmp_path, CheckRequest())
    assert problems(report) == {"missing": ["c.jpg"]}
    assert (report.splits[0].name, report.splits[0].expected, report.splits[0].found) == ("val", 1449, 1)
    own = tmp_path / "mine.txt"
    own.write_text("b\n")
    report = check_segmentation(tmp_path, CheckRequest(lists=(own,)))
    assert [vars(split) for split in report.splits] == [{"name": "mine", "expected": 1, "found": 1, "usable": 1}]
    assert report.problems == ()


def test_every_class_is_counted_under_the_id_it_has_in_the_files(tmp_path: Path) -> None:
    make_ade20k(tmp_path, [0, 1, 1, 150])
    write_labels(tmp_path / "annotations" / "validation" / "a.png", [1])
    report = check_segmentation(tmp_path, CheckRequest())
    assert len(report.classes) == 150
    wall, flag = report.classes[0], report.classes[-1]
    assert (wall.id, wall.name, wall.pixels, wall.pictures) == (1, "wall", 24 + 12, 2)
    assert (flag.id, flag.name, flag.pixels, flag.pictures) == (150, "flag", 6, 1)
    assert report.classes[1].pixels == 0
    assert "12.5% of the pixels are not scored (id 0)" in notes(report)


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda root: make_cityscapes(root, [7, 8, 11, 33]), "raw labelIds (0..33), not trainIds"),
        (lambda root: make_cityscapes(root, [24, 26001]), "ids of instances"),
        (lambda root: make_coco(root, [0, 90, 181, 255], "_labelTrainIds.png"), "raw ids of things and stuff"),
        (lambda root: make_coco(root, [0, 90, 120, 255], "_instanceTrainIds.png"), "raw ids of things and stuff"),
        (lambda root: make_ade20k(root, [0, 151]), "made with another class list"),
        (lambda root: make_voc(root, [0, 38, 75]), "made with another class list"),
    ],
)
def test_official_sets_made_wrong_are_told_with_the_cause(tmp_path: Path, make, told: str) -> None:
    report = check_segmentation(make(tmp_path), CheckRequest())
    assert told in notes(report)
    assert all(told in problem.detail for problem in report.problems if problem.kind == "ids")
    assert report.failed == len(report.problems) > 0


def test_ids_from_1_ask_for_reduce_zero_label_and_reduced_ones_against_it(tmp_path: Path) -> None:
    report = check_segmentation(make_set(tmp_path / "from1", [1, 2, 3]), OWN)
    assert "ids count from 1" in notes(report)
    assert report.problems[0].action.startswith("add --reduce-zero-label")
    changes = {**CLASSES, "reduce_zero_label": True}
    assert check_segmentation(tmp_path / "from1", CheckRequest(changes=changes)).problems == ()
    config = tmp_path / "mine.py"
    config.write_text('data = dict(images="images", labels="labels", classes="a; b; c", reduce_zero_label=True)\n')
    names = [str(number) for number in range(50)]
    make_set(tmp_path / "from0", [0, 1, 2, 255], names=names)
    report = check_segmentation(tmp_path / "from0", CheckRequest(dataset=str(config)))
    assert report.problems == ()
    assert "reduce_zero_label must be False" in notes(report)


def test_raw_files_beside_what_is_wanted_are_told_with_what_makes_it(tmp_path: Path) -> None:
    make_cityscapes(tmp_path, labels="_gtFine_labelIds.png")
    report = check_segmentation(tmp_path, CheckRequest())
    assert "csCreateTrainIdLabelImgs" in notes(report)
    assert set(problems(report)) == {"missing"}


def test_folders_of_ones_own_need_classes_and_wrong_ones_are_told(tmp_path: Path) -> None:
    make_set(tmp_path)
    with pytest.raises(UsageError, match="--classes"):
        check_segmentation(tmp_path, CheckRequest())
    with pytest.raises(DataError, match="no such folder"):
        check_segmentation(tmp_path / "nowhere", CheckRequest(dataset="ade20k"))


def test_an_interrupt_does_not_wait_for_what_is_left(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_set(tmp_path, names=[str(number) for number in range(40)])
    looked, go_on, real = [], threading.Event(), check_segmentation_module._look_at

    def look(*args):
        looked.append(args)
        if len(looked) == 2:
            go_on.wait(5)
        return real(*args)

    def stop(items, total):
        yield next(items)
        raise KeyboardInterrupt

    monkeypatch.setattr(check_segmentation_module, "_look_at", look)
    with pytest.raises(KeyboardInterrupt):
        check_segmentation(tmp_path, CheckRequest(changes=CLASSES, track=stop))
    go_on.set()
    assert len(looked) <= 2


@pytest.mark.parametrize(("name", "pairs"), [("ade20k_sample", 3), ("camvid", 34)])
def test_real_data_is_whole(name: str, pairs: int) -> None:
    folder = Path(__file__).resolve().parents[4] / "shared" / "data" / name
    if not folder.is_dir():
        pytest.skip(f"no {folder}")
    report = check_segmentation(folder, CheckRequest(workers=2, decode="all"))
    assert report.problems == ()
    assert report.splits[0].usable == pairs
