import logging
import os
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClassListError, DataError, PictureError
from densevl.core.files import sha256_file
from densevl.core.stages import LabelledSet
from densevl.data import SegmentationSet
from densevl.data.segmentation import known_sets
from densevl.vocab import parse_classes
from tests.densevl.data.pairs import ids, write_set

COUNTS = {
    "ade20k": (150, 2000),
    "ade847": (847, 2000),
    "camvid": (11, None),
    "cityscapes": (19, 500),
    "coco_object": (81, 5000),
    "coco_stuff": (171, 5000),
    "context459": (459, 5104),
    "context59": (59, 5104),
    "context60": (60, 5104),
    "voc20": (20, 1449),
    "voc21": (21, 1449),
}


def folders(root, **fields):
    return SegmentationSet(**{"root": root, "images": "images", "labels": "labels", "classes": "road; sky"} | fields)


def written(root, section, name, label):
    """A data set of one picture in the layout of a section."""
    suffix = section.get("image_suffix") or ".jpg"
    images = f"{section['images']}/{{}}{suffix}"
    write_set(
        root,
        {name: label},
        images=images,
        annotations=f"{section['labels']}/{{}}{section.get('label_suffix') or '.png'}",
    )
    if section.get("split"):
        (root / section["split"]).parent.mkdir(parents=True, exist_ok=True)
        (root / section["split"]).write_text(f"{name}\n")
    return root


def test_pictures_come_with_classes_and_the_hash_of_their_files(tmp_path):
    data = folders(write_set(tmp_path, {"s/b": ids([1, 0, 255]), "a": ids([0, 0])}), name="mine")
    assert isinstance(data, LabelledSet)
    assert (len(data), data.name, data.class_names, data.ignore_index) == (2, "mine", ("road", "sky"), 255)
    assert data.names() == ("a", "s/b") and data.origin(1) == str(tmp_path / "images/s/b.jpg")
    picture, digest = data.read(1)
    assert picture.shape == (1, 3, 3) and picture.dtype == np.uint8
    assert digest == sha256_file(tmp_path / "images/s/b.jpg")
    label, digest = data.read_labels(1)
    assert label.dtype == np.uint8 and label.tolist() == [[1, 0, 255]]
    assert digest == sha256_file(tmp_path / "labels/s/b.png")
    assert data.digests(1) == (data.read(1)[1], digest)
    (tmp_path / "labels/s/b.png").unlink()
    with pytest.raises(PictureError, match="no such file"):
        data.digests(1)


def test_ignored_ids_and_zero_are_taken_off(tmp_path):
    root = write_set(tmp_path, {"a": ids([0, 1, 2, 9, 255])})
    data = folders(root, reduce_zero_label=True, ignore=[9])
    assert data.read_labels(0)[0].tolist() == [[255, 0, 1, 255, 255]]


def test_an_id_outside_the_list_names_the_file(tmp_path):
    with pytest.raises(DataError, match=r"labels/a\.png: expected ids 0\.\.1 of 2 classes, got 2"):
        folders(write_set(tmp_path, {"a": ids([0, 2])})).read_labels(0)


def test_files_that_vanish_or_break_are_errors_of_their_own(tmp_path):
    data = folders(write_set(tmp_path, {"a": ids([0])}))
    (tmp_path / "images/a.jpg").write_bytes(b"no picture")
    (tmp_path / "labels/a.png").unlink()
    with pytest.raises(PictureError, match=r"a\.jpg: not a picture"):
        data.read(0)
    with pytest.raises(DataError, match="no such file"):
        data.read_labels(0)


def test_faulty_classes_and_missing_annotations_are_found_at_once(tmp_path):
    root = write_set(tmp_path, {"a": ids([0]), "b": ids([0])})
    with pytest.raises(ClassListError):
        folders(root, classes="road; road")
    (root / "labels/b.png").unlink()
    with pytest.raises(DataError, match=r"1 of 2 \(b\) pictures have no annotation"):
        folders(root)


def test_annotations_without_a_picture_are_left_out_and_told(tmp_path, caplog):
    root = write_set(tmp_path, {"a": ids([0]), "b": ids([0])})
    (root / "images/b.jpg").unlink()
    with caplog.at_level(logging.WARNING):
        assert folders(root).names() == ("a",)
    assert "1 annotations without a picture are left out: b" in caplog.text


def test_a_count_that_is_not_the_official_one_is_told(tmp_path, caplog):
    root = write_set(tmp_path, {"a": ids([0])})
    with caplog.at_level(logging.WARNING):
        folders(root, expected=1)
        assert not caplog.records
        folders(root, expected=5, name="mine")
    assert "mine has 1 pictures here and 5 as published" in caplog.text


def test_the_known_sets_have_the_published_counts():
    found = known_sets()
    assert {name: section.get("expected") for name, section in found.items() if name != "folders"} == {
        name: pictures for name, (_, pictures) in COUNTS.items()
    }
    assert all(section["name"] == name for name, section in found.items())


@pytest.mark.parametrize("name", COUNTS)
def test_every_official_layout_is_read(name, tmp_path):
    section = known_sets()[name]
    first = int(section.get("reduce_zero_label", False))
    unscored = 255 if COUNTS[name][0] <= 255 else 65535
    label = ids(
        [first, first + COUNTS[name][0] - 1, unscored, *([0] if first else [])],
        dtype=np.uint16 if unscored > 255 else np.uint8,
    )
    root = written(tmp_path, section, "part/one", label)
    section.pop("type")
    data = SegmentationSet(root=root, **section)
    assert (data.names(), len(data.class_names)) == (("part/one",), COUNTS[name][0])
    assert data.class_names == parse_classes(section["classes"]).names
    expected = [0, COUNTS[name][0] - 1, unscored, *([255] if first else [])]
    assert data.read_labels(0)[0].tolist() == [expected]
    assert data.read(0)[0].shape[:2] == label.shape


def test_sets_whose_pictures_lie_together_with_those_of_other_parts_name_their_own():
    bare = [name for name, section in known_sets().items() if "/" not in section["images"] and not section.get("split")]
    assert bare == ["folders"]  # else every picture of JPEGImages would be asked for its annotation


BESIDE = Path(__file__).resolve().parents[4] / "shared/data"


@pytest.mark.parametrize(("name", "place"), [("ade20k", "ade20k_sample"), ("camvid", "camvid")])
def test_real_annotations_hold_the_classes_and_nothing_else(name, place):
    root = Path(os.environ.get(f"DENSEVL_{name.upper()}", BESIDE / place))
    if not root.is_dir():
        pytest.skip(f"no {name} here: name its folder in DENSEVL_{name.upper()}")
    section = known_sets()[name]
    section.pop("type")
    data = SegmentationSet(root=root, **section)
    found = set()
    for index in range(min(len(data), 40)):
        label = data.read_labels(index)[0]
        assert label.shape == data.read(index)[0].shape[:2] and label.dtype == np.uint8
        found |= set(np.unique(label).tolist())
    assert {0, 1, 2, 255} <= found <= {*range(COUNTS[name][0]), 255}
