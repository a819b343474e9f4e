from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import DataError
from densevl.data.check import CheckRequest
from densevl.data.check_segmentation import check_segmentation
from densevl.data.full_ade20k import (
    SHORT_SIDE,
    class_ids,
    convert_full_ade20k,
    disagreements,
    find_annotations,
    main,
    shrunk_size,
    to_benchmark,
)
from densevl.vocab import parse_classes

# Names and indices as they stand together in JSON files of ADE20K_2021_17_01.
NAMES = {
    312: "building, edifice",
    2420: "sky",
    2855: "tree",
    2131: "road, route",
    1831: "person, individual, someone, somebody, mortal, soul",
    401: "car, auto, automobile, machine, motorcar",
    2377: "sidewalk, pavement",
    2380: "signboard, sign",
    2836: "traffic light, traffic signal, stoplight",
    64: "ashcan, trash can, garbage can, wastebin, ash bin, ash-bin, ashbin, dustbin, trash barrel, trash bin",
    2616: "streetlight, street lamp",
    77: "awning, sunshade, sunblind",
    2880: "truck, motortruck",
    1563: "minibike, motorbike",
    187: "bicycle, bike, wheel, cycle",
    1564: "mirror",
    774: "door",
}
OTHER = {597: "container", 1231: "helmet"}  # no classes of the benchmark


def objects(names: Mapping[int, str]) -> list[dict]:
    return [{"name_ndx": index, "name": name, "parts": {"part_level": 0}} for index, name in names.items()]


def seg_of(indices: np.ndarray) -> np.ndarray:
    """Class indices [H, W] -> [H, W, 3] as the full set codes them, with the number of an instance in B."""
    return np.stack([indices // 256 * 10, indices % 256, np.full_like(indices, 7)], axis=-1).astype(np.uint8)


def make_full(root: Path, *, split: str = "validation", size=(4, 6), names=None, number: int = 1) -> Path:
    """One picture of the full set: buildings above, cars and a helmet below."""
    stem = f"ADE_{split[:5] if split == 'training' else 'val'}_{number:08d}"
    folder = root / "images" / "ADE" / split / "urban" / "street"
    folder.mkdir(parents=True, exist_ok=True)
    indices = np.full(size, 312)
    indices[size[0] // 2 :] = 401
    indices[-1, -1] = 1231
    Image.fromarray(seg_of(indices)).save(folder / f"{stem}_seg.png")
    Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(folder / f"{stem}.jpg")
    names = {312: NAMES[312], 401: NAMES[401], 1231: "helmet"} if names is None else names
    (folder / f"{stem}.json").write_text(json.dumps({"annotation": {"object": objects(names)}}))
    return folder / f"{stem}_seg.png"


def test_the_table_has_every_class_and_three_that_join_two() -> None:
    ids = class_ids()
    assert sorted(set(ids.values())) == list(range(1, 151))
    assert len(ids) == 153
    assert ids[774] == ids[783] and ids[2985] == ids[533] and ids[246] == ids[247]


def test_the_table_fits_the_names_that_stand_beside_the_indices() -> None:
    classes, ids = parse_classes("ade20k").names, class_ids()
    for index, name in NAMES.items():
        assert classes[ids[index] - 1] == name.split(",")[0]
    assert not set(OTHER) & set(ids)
    assert disagreements(objects({**NAMES, **OTHER})) == ({}, len(NAMES))


def test_names_that_contradict_the_table_are_told() -> None:
    wrong, agreeing = disagreements(objects({312: "wall", 2420: "Sky", 533: "closet", 783: "double door"}))
    assert wrong == {312: "wall"}
    assert agreeing == 1


def test_colours_become_ids_and_what_is_no_class_becomes_0() -> None:
    indices = np.array([[2978, 312, 954], [783, 774, 1231], [0, 3109, 6655]])
    assert to_benchmark(seg_of(indices)).tolist() == [[1, 2, 150], [15, 15, 0], [0, 142, 0]]
    assert to_benchmark(seg_of(indices)).dtype == np.uint8


@pytest.mark.parametrize(
    ("size", "shrunk"),
    [
        ((1650, 2200), (512, 683)),
        ((2048, 1536), (683, 512)),
        ((512, 683), (512, 683)),
        ((300, 900), (300, 900)),
        ((800, 800), (800, 800)),
    ],
)
def test_the_shorter_side_becomes_512_as_the_official_tool_has_it(size, shrunk) -> None:
    assert shrunk_size(*size) == shrunk


def test_a_converted_set_is_one_that_check_data_takes(tmp_path: Path) -> None:
    seg = make_full(tmp_path / "full")
    make_full(tmp_path / "full", split="training")
    done = convert_full_ade20k(tmp_path / "full", tmp_path / "out", workers=2)
    assert (done.written, done.kept, dict(done.failed)) == (2, 0, {})
    labels = np.asarray(Image.open(tmp_path / "out" / "annotations" / "validation" / "ADE_val_00000001.png"))
    assert labels.tolist() == [[2] * 6, [2] * 6, [21] * 6, [21] * 5 + [0]]
    picture = tmp_path / "out" / "images" / "validation" / "ADE_val_00000001.jpg"
    assert picture.read_bytes() == seg.with_name("ADE_val_00000001.jpg").read_bytes()
    report = check_segmentation(tmp_path / "out", CheckRequest())
    assert (report.dataset, report.problems, report.splits[0].usable) == ("ade20k", (), 1)


def test_large_pictures_and_annotations_shrink_together(tmp_path: Path) -> None:
    make_full(tmp_path / "full", size=(2 * SHORT_SIDE, 3 * SHORT_SIDE))
    convert_full_ade20k(tmp_path / "full", tmp_path / "out", splits=["validation"])
    with Image.open(tmp_path / "out" / "images" / "validation" / "ADE_val_00000001.jpg") as picture:
        assert picture.size == (SHORT_SIDE * 3 // 2, SHORT_SIDE)
    labels = np.asarray(Image.open(tmp_path / "out" / "annotations" / "validation" / "ADE_val_00000001.png"))
    assert labels.shape == (SHORT_SIDE, SHORT_SIDE * 3 // 2)
    assert set(labels[: SHORT_SIDE // 2].ravel().tolist()) == {2}


def test_what_is_there_is_kept_and_what_is_half_there_is_written_again(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        make_full(tmp_path / "full", number=number)
    convert_full_ade20k(tmp_path / "full", tmp_path / "out")
    folder = tmp_path / "out" / "annotations" / "validation"
    (folder / "ADE_val_00000001.png").write_bytes(b"mine")
    (folder / "ADE_val_00000002.png").unlink()
    done = convert_full_ade20k(tmp_path / "full", tmp_path / "out")
    assert (done.written, done.kept) == (1, 2)
    assert (folder / "ADE_val_00000001.png").read_bytes() == b"mine"
    assert (folder / "ADE_val_00000002.png").is_file()


def test_the_layout_of_2016_and_pictures_without_json_are_read_too(tmp_path: Path) -> None:
    seg = make_full(tmp_path / "full")
    seg.with_name("ADE_val_00000001.json").unlink()
    (tmp_path / "full" / "images" / "ADE" / "validation").rename(tmp_path / "full" / "images" / "validation")
    assert [path.name for path in find_annotations(tmp_path / "full", "validation")] == [seg.name]
    assert convert_full_ade20k(tmp_path / "full", tmp_path / "out").written == 1


def test_a_single_object_and_old_letters_in_json_are_read(tmp_path: Path) -> None:
    seg = make_full(tmp_path / "full")
    single = {"annotation": {"object": {**objects({312: NAMES[312]})[0], "attributes": "é"}}}
    seg.with_name("ADE_val_00000001.json").write_bytes(json.dumps(single, ensure_ascii=False).encode("latin-1"))
    assert convert_full_ade20k(tmp_path / "full", tmp_path / "out").written == 1


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda seg: seg.write_bytes(b""), "0 bytes"),
        (lambda seg: Image.new("RGB", (3, 3)).save(seg), "its picture"),
        (lambda seg: seg.with_name("ADE_val_00000001.jpg").unlink(), "no such file"),
        (lambda seg: seg.with_name("ADE_val_00000001.json").write_text("{"), "cannot be read as JSON"),
        (lambda seg: seg.with_name("ADE_val_00000001.json").write_text('{"annotation": {}}'), "cannot be read as JSON"),
    ],
)
def test_a_picture_that_fails_is_told_and_the_others_are_converted(tmp_path: Path, spoil, told: str) -> None:
    spoil(make_full(tmp_path / "full"))
    make_full(tmp_path / "full", number=2)
    done = convert_full_ade20k(tmp_path / "full", tmp_path / "out")
    assert done.written == 1
    ((path, reason),) = done.failed.items()
    assert path.endswith("ADE_val_00000001_seg.png") and told in reason
    assert not (tmp_path / "out" / "annotations" / "validation" / "ADE_val_00000001.png").exists()


def test_another_release_is_refused(tmp_path: Path) -> None:
    make_full(tmp_path / "full", names={312: "car, auto", 401: "building, edifice"})
    done = convert_full_ade20k(tmp_path / "full", tmp_path / "out")
    assert "class index 312 is 'car, auto', expected building: not a release we know" in next(
        iter(done.failed.values())
    )


def test_what_is_no_full_set_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no full ADE20K: expected images/ADE/training"):
        convert_full_ade20k(tmp_path, tmp_path / "out")


def test_the_script_says_what_it_did_and_ends_as_densevl_does(tmp_path: Path, capsys) -> None:
    seg = make_full(tmp_path / "full")
    argv = [str(tmp_path / "full"), str(tmp_path / "out")]
    assert main([*argv, "--split", "validation"]) == 0
    assert "1 written, 0 were there, 0 failed" in capsys.readouterr().err
    assert main([*argv, "--split", "training"]) == 3
    assert "no full ADE20K" in capsys.readouterr().err
    (tmp_path / "out" / "images" / "validation" / "ADE_val_00000001.jpg").unlink()
    seg.write_bytes(b"")
    assert main(argv) == 6
    assert "0 bytes" in capsys.readouterr().err
