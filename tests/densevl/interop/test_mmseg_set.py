"""Data sets of mmseg as LabelledSets: the ids are those that mmseg's own pipeline reads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from torch.utils.data import DataLoader, Dataset

from densevl.cli.app import main
from densevl.core.config import build, find_config
from densevl.core.errors import ConfigError, DataError, UnknownNameError
from densevl.core.files import sha256_file
from densevl.core.stages import LabelledSet
from densevl.data import SegmentationSet, read_picture
from densevl.interop import MMSegSet
from densevl.tasks.protocol_card import describe_set
from tests.densevl.interop.ade_layout import PREFIX, write_ade

WORDS = ("cat", "sky", "road", "grass", "wall")
PART = ("sky", "bed ", "wall")


@pytest.fixture(scope="module")
def ade(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_ade(tmp_path_factory.mktemp("ade"))


def as_mmseg_reads(dataset: MMSegSet, index: int) -> np.ndarray:
    from mmseg.datasets.transforms import LoadAnnotations  # behind the stand-in

    read: np.ndarray = LoadAnnotations()(dataset.dataset.get_data_info(index))["gt_seg_map"]
    return read


def test_it_is_a_labelled_set_with_the_names_of_the_data_set(ade: Path) -> None:
    section = {"type": "densevl.interop.MMSegSet", "dataset": "ADE20KDataset", "data_prefix": PREFIX, "name": "ade20k"}
    dataset = build({**section, "root": str(ade)})
    assert isinstance(dataset, MMSegSet) and isinstance(dataset, LabelledSet)
    assert (dataset.name, dataset.ignore_index, len(dataset)) == ("ade20k", 255, 3)
    assert len(dataset.class_names) == 150 and dataset.class_names[7] == "bed"
    assert dataset.names() == ("ADE_val_00000001", "ADE_val_00000002", "ADE_val_00000003")


def test_pictures_and_labels_are_those_of_our_own_set(ade: Path) -> None:
    theirs = MMSegSet("ADE20KDataset", root=ade, data_prefix=PREFIX)
    folders = {"images": PREFIX["img_path"], "labels": PREFIX["seg_map_path"]}
    ours = SegmentationSet(root=ade, classes="ade20k", reduce_zero_label=True, **folders)
    assert tuple(ours.names()) == theirs.names()
    for index in range(len(ours)):
        for mine, other in ((ours.read, theirs.read), (ours.read_labels, theirs.read_labels)):
            (array, digest), (same, same_digest) = mine(index), other(index)
            assert np.array_equal(array, same) and array.dtype == same.dtype and digest == same_digest
        assert describe_set(theirs, {})["reduce_zero_label"] is True  # on the card, as that of our own
        assert np.array_equal(theirs.read(index)[0], read_picture(theirs.origin(index)))
        assert theirs.digests(index) == ours.digests(index) == (ours.read(index)[1], ours.read_labels(index)[1])
        assert theirs.read(index)[1] == sha256_file(Path(theirs.origin(index)))


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({}, id="reduced"),
        pytest.param({"metainfo": {"classes": PART}}, id="a part of the classes"),
        pytest.param({"metainfo": {"classes": tuple(reversed(PART))}}, id="the part in another order"),
    ],
)
def test_labels_are_what_mmseg_reads(ade: Path, options: dict) -> None:
    dataset = MMSegSet("ADE20KDataset", root=ade, data_prefix=PREFIX, **options)
    found = set()
    for index in range(len(dataset)):
        labels, _ = dataset.read_labels(index)
        assert labels.dtype == np.uint8 and np.array_equal(labels, as_mmseg_reads(dataset, index))
        found |= set(np.unique(labels).tolist())
    assert found <= {*range(len(dataset.class_names)), 255} and 255 in found


def test_ids_that_are_ignored_are_those_of_the_data_set_and_of_the_user(tmp_path: Path) -> None:
    root = write_ade(tmp_path, ids=6)
    options = {"data_prefix": PREFIX, "metainfo": {"classes": tuple("abcdef")}, "reduce_zero_label": False}
    plain = MMSegSet("BaseSegDataset", root=root, **options)
    told = MMSegSet("BaseSegDataset", root=root, ignore_index=5, ignore=[2], **options)
    reduced = MMSegSet("BaseSegDataset", root=root, ignore_index=3, **{**options, "reduce_zero_label": True})
    before, after = plain.read_labels(0)[0], told.read_labels(0)[0]
    assert {2, 5} <= set(np.unique(before)) and np.array_equal(after, np.where(np.isin(before, (2, 5)), 255, before))
    shifted = as_mmseg_reads(reduced, 0)
    assert np.array_equal(reduced.read_labels(0)[0], np.where(shifted == 3, 255, shifted)) and 3 in shifted


def test_an_id_outside_the_classes_is_an_error_and_not_left_out(tmp_path: Path) -> None:
    dataset = MMSegSet(
        "BaseSegDataset", root=write_ade(tmp_path, ids=9), data_prefix=PREFIX, metainfo={"classes": ("a", "b", "c")}
    )
    with pytest.raises(DataError, match=r"ADE_val_00000001\.png: expected ids 0\.\.2"):
        dataset.read_labels(0)


def test_suffix_and_split_of_the_data_set_are_kept(tmp_path: Path) -> None:
    root = write_ade(tmp_path)
    (tmp_path / "split.txt").write_text("val_00000003\nval_00000001\n")
    for place in ("images", "annotations"):
        for path in (root / place / "validation").iterdir():
            path.rename(path.with_name(path.name.replace("ADE_", "").replace(".", "_x.")))
    dataset = MMSegSet(
        "ADE20KDataset",
        root=root,
        data_prefix=PREFIX,
        ann_file="split.txt",
        img_suffix="_x.jpg",
        seg_map_suffix="_x.png",
    )
    assert dataset.names() == ("val_00000003", "val_00000001")


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("ADE20kDataset", {}, UnknownNameError, "did you mean ADE20KDataset"),
        ("ConcatDataset", {}, ConfigError, "name the one inside it"),
        ("ADE20KDataset", {"palette": [[0, 0, 0]]}, ConfigError, "does not take these options"),
        ("BaseSegDataset", {"data_prefix": PREFIX}, ConfigError, "no class names"),
        (
            "ADE20KDataset",
            {"data_prefix": {"img_path": "none", "seg_map_path": "none"}},
            DataError,
            "check data_prefix",
        ),
        ("ADE20KDataset", {"data_prefix": {"img_path": PREFIX["img_path"]}}, DataError, "lists no annotations"),
        ("ADE20KDataset", {"data_prefix": PREFIX, "img_suffix": ".gif"}, DataError, "lists no pictures"),
        ("ADE20KDataset", {"data_prefix": PREFIX, "metainfo": {"classes": ["cot"]}}, DataError, "not a subset"),
    ],
)
def test_a_faulty_section_says_what_to_do(ade: Path, name: str, options: dict, error: type, message: str) -> None:
    with pytest.raises(error, match=message):
        MMSegSet(name, root=ade, **options)


class Labels(Dataset):
    """What a worker holds: unpickling it there imports the module of MMSegSet, and with it the stand-in."""

    def __init__(self, dataset: MMSegSet) -> None:
        self.dataset = dataset

    def __len__(self) -> int:
        return len(self.dataset)

    def __getitem__(self, index: int) -> int:
        return int(self.dataset.read_labels(index)[0].sum())


@pytest.mark.parametrize(
    "method",
    ["fork", pytest.param("spawn", marks=pytest.mark.slow), pytest.param("forkserver", marks=pytest.mark.slow)],
)
def test_workers_of_any_kind_read_it(ade: Path, method: str) -> None:
    labels = Labels(MMSegSet("ADE20KDataset", root=ade, data_prefix=PREFIX))
    loader = DataLoader(labels, batch_size=None, num_workers=1, multiprocessing_context=method)
    assert list(loader) == [labels[index] for index in range(len(labels))]


def test_eval_takes_a_data_set_of_mmseg_and_finds_the_figures_of_our_own(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    root = write_ade(tmp_path / "ade", ids=len(WORDS) + 1)
    theirs = {"dataset": "BaseSegDataset", "metainfo": {"classes": WORDS}, "data_prefix": PREFIX}
    ours = {"images": PREFIX["img_path"], "labels": PREFIX["seg_map_path"], "classes": "; ".join(WORDS)}
    sections = [
        {"type": "densevl.interop.MMSegSet", "name": "same", "reduce_zero_label": True, **theirs},
        {"type": "densevl.data.SegmentationSet", "name": "same", "reduce_zero_label": True, **ours},
    ]
    figures = []
    for name, section in zip(("theirs", "ours"), sections, strict=True):
        config = tmp_path / f"lite_{name}.py"
        config.write_text(f"_base_ = [{str(find_config('lite'))!r}]\ndata = {section}\n")
        asked = ["eval", str(config), "--data", str(root), "--out", str(tmp_path / name)]
        assert main([*asked, "--short-side", "64", "--device", "cpu", "--json"]) == 0
        figures.append(json.loads(capsys.readouterr().out))
    assert figures[0]["classes"] == figures[1]["classes"] and figures[0]["aAcc"] == figures[1]["aAcc"] > 0
