from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.errors import DataError, UnknownNameError, UsageError
from densevl.data.guess_set import choose_set, layout_of
from densevl.data.layouts import Layout
from tests.densevl.data.labelled_folders import make_ade20k, make_cityscapes, make_coco, make_set, make_voc


def test_official_layouts_are_told_apart_by_their_folders(tmp_path: Path) -> None:
    assert choose_set(make_ade20k(tmp_path / "ade"))[0]["name"] == "ade20k"
    assert choose_set(make_cityscapes(tmp_path / "city"))[0]["name"] == "cityscapes"
    assert choose_set(make_set(tmp_path / "camvid", images="images/val", labels="labels/val"))[0]["name"] == "camvid"


def test_sets_of_the_same_files_become_the_one_that_scores_id_0_and_the_other_is_told(tmp_path: Path) -> None:
    section, why = choose_set(make_voc(tmp_path))
    assert section["name"] == "voc21"
    assert "voc20 reads the same files" in why
    assert choose_set(tmp_path, "voc20")[0]["reduce_zero_label"] is True


@pytest.mark.parametrize(
    ("suffix", "name"), [("_instanceTrainIds.png", "coco_object"), ("_labelTrainIds.png", "coco_stuff")]
)
def test_sets_that_share_folders_are_told_apart_by_their_annotations(tmp_path: Path, suffix: str, name: str) -> None:
    assert choose_set(make_coco(tmp_path, [0, 1], suffix))[0]["name"] == name


def test_several_that_fit_must_be_named(tmp_path: Path) -> None:
    make_coco(tmp_path, [0, 1], "_labelTrainIds.png")
    make_coco(tmp_path, [0, 1], "_instanceTrainIds.png")
    with pytest.raises(UsageError, match=r"\(coco_object, coco_stuff\): add --dataset"):
        choose_set(tmp_path)


def test_a_folder_above_fits_too(tmp_path: Path) -> None:
    make_voc(tmp_path / "VOC2012")
    assert choose_set(tmp_path)[0]["name"] == "voc21"


def test_any_other_pair_of_folders_is_taken_as_such(tmp_path: Path) -> None:
    assert choose_set(make_set(tmp_path))[0]["name"] == "folders"


def test_what_fits_nothing_is_told_with_all_that_would(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"ade20k: images/validation, annotations/validation.*--kind"):
        choose_set(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        choose_set(tmp_path / "nowhere")


def test_the_full_ade20k_is_told_with_its_converter(tmp_path: Path) -> None:
    (tmp_path / "images" / "ADE" / "validation").mkdir(parents=True)
    with pytest.raises(DataError, match=r"tools/convert_full_ade20k\.py"):
        choose_set(tmp_path)


def test_a_name_or_a_config_says_which_it_is(tmp_path: Path) -> None:
    with pytest.raises(UnknownNameError, match=r"did you mean ade20k"):
        choose_set(tmp_path, "ade20")
    (tmp_path / "mine.py").write_text('data = dict(images="i", labels="l", classes="sky; sea")\n')
    section, _ = choose_set(tmp_path, str(tmp_path / "mine.py"))
    assert section == {"name": "mine", "images": "i", "labels": "l", "classes": "sky; sea"}
    assert layout_of(section) == Layout("i", "l")
    (tmp_path / "none.py").write_text("data = dict(images='i')\n")
    with pytest.raises(UsageError, match="labels="):
        choose_set(tmp_path, str(tmp_path / "none.py"))
