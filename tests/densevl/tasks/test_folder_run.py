"""Runs into an output folder: what is written, and what a second run does."""

from __future__ import annotations

import csv
import json
import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from densevl.core.errors import PictureError
from densevl.data.folders import open_source
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.tasks import Geometry, Segmenter
from densevl.tasks.folder_run import FolderRun, RunOptions
from densevl.tasks.run_documents import RunResult
from densevl.tasks.run_plan import measure
from densevl.vocab import parse_classes
from tests.tiny import tiny_clip

CLASSES = "cat; sky, clouds; road"
KINDS = ("labels", "overlay", "scores", "confidence", "coco", "geojson")


@pytest.fixture(scope="module")
def segmenter() -> Segmenter:
    clip_model = tiny_clip()
    return Segmenter(MaskCLIPExtractor(clip_model), clip_model, head=CosineHead(), geometry=Geometry(short_side=48))


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    (folder / "sub").mkdir(parents=True)
    generator = np.random.default_rng(0)
    for name, size in {"a.png": (40, 60), "b.jpg": (50, 50), "sub/a.png": (33, 70), "sub/c.png": (64, 48)}.items():
        Image.fromarray(generator.integers(0, 256, (*size, 3), dtype=np.uint8)).save(folder / name)
    return folder


def label(segmenter: Segmenter, pictures: Path, out: Path, classes: str = CLASSES, **options: object) -> RunResult:
    source = open_source(str(pictures), exclude=out)
    return FolderRun(segmenter, source, parse_classes(classes), options=RunOptions(**options)).run(out)  # type: ignore[arg-type]


def files_of(out: Path) -> dict[str, bytes]:
    """All that a run must repeat byte for byte: everything but the record of when and how it ran."""
    kept = (
        path for path in sorted(out.rglob("*")) if path.is_file() and path.name not in ("run.json", "journal.jsonl")
    )
    return {str(path.relative_to(out)): path.read_bytes() for path in kept if not path.name.startswith(".")}


def test_the_output_tree_is_the_one_of_the_contract(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = label(segmenter, pictures, out, kinds=KINDS)
    assert (result.done, result.resumed, result.failed) == (4, 0, ())
    names = ["a", "b", "sub/a", "sub/c"]
    patterns = {"labels": "png", "overlay": "jpg", "scores": "npz", "confidence": "png", "geojson": "geojson"}
    expected = {f"{kind}/{name}.{suffix}" for kind, suffix in patterns.items() for name in names}
    expected |= {"classes.json", "summary.csv", "failed.csv", "report.html", "coco.json"}
    assert set(files_of(out)) == expected
    labels = np.array(Image.open(out / "labels/sub/a.png"))
    assert labels.shape == (33, 70) and labels.dtype == np.uint8 and labels.max() < 3
    rows = list(csv.DictReader((out / "summary.csv").open()))
    assert [row["name"] for row in rows] == names
    for row in rows:
        assert sum(float(row[key]) for key in ("cat", "sky", "road", "no label")) == pytest.approx(1, abs=1e-5)
        share = (np.array(Image.open(out / f"labels/{row['name']}.png")) == 1).mean()
        assert float(row["sky"]) == pytest.approx(share, abs=1e-6)
    classes = json.loads((out / "classes.json").read_text())
    assert [(entry["id"], entry["name"]) for entry in classes["classes"]] == [(0, "cat"), (1, "sky"), (2, "road")]
    run = json.loads((out / "run.json").read_text())
    assert run["done"] == 4 and run["settings"]["classes"][1] == ["sky", "sky", "clouds"] and "torch" in run["versions"]
    coco = json.loads((out / "coco.json").read_text())
    assert [Path(image["file_name"]).name for image in coco["images"]] == ["a.png", "b.jpg", "a.png", "c.png"]
    assert sum(annotation["area"] for annotation in coco["annotations"]) == sum(
        image["width"] * image["height"] for image in coco["images"]
    )


def test_the_same_command_again_does_nothing_and_gives_the_same(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    label(segmenter, pictures, out)
    before = files_of(out)
    again = label(segmenter, pictures, out)
    assert (again.done, again.resumed) == (0, 4)
    assert files_of(out) == before


def test_a_damaged_output_a_changed_picture_and_a_new_picture_are_done_again(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    label(segmenter, pictures, out)
    damaged = bytearray((out / "labels/a.png").read_bytes())
    damaged[-20] ^= 1
    (out / "labels/a.png").write_bytes(damaged)
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(pictures / "b.jpg")
    Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(pictures / "new.png")
    again = label(segmenter, pictures, out)
    assert (again.done, again.resumed) == (3, 2)
    fresh = tmp_path / "fresh"
    label(segmenter, pictures, fresh)
    assert files_of(out) == files_of(fresh)


@pytest.mark.parametrize(
    "change", [{"classes": "cat; sky; road; car"}, {"thresholds": {"cat": 0.9}}, {"templates": "name"}]
)
def test_a_changed_class_list_or_setting_redoes_everything(
    segmenter: Segmenter, pictures: Path, tmp_path: Path, change: dict[str, object]
) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    label(segmenter, pictures, out)
    changed = label(segmenter, pictures, out, **change)  # type: ignore[arg-type]
    assert (changed.done, changed.resumed) == (4, 0)
    label(segmenter, pictures, fresh, **change)  # type: ignore[arg-type]
    assert files_of(out) == files_of(fresh)


def test_one_more_kind_of_output_is_added_to_a_finished_run(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    label(segmenter, pictures, out, kinds=("labels",))
    assert not (out / "overlay").exists()
    label(segmenter, pictures, out, kinds=("labels", "overlay"))
    assert len(list((out / "overlay").rglob("*.jpg"))) == 4


def test_a_bad_picture_is_skipped_listed_and_tried_again(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    whole = (pictures / "a.png").read_bytes()
    (pictures / "a.png").write_bytes(whole[: len(whole) // 2])
    result = label(segmenter, pictures, out)
    assert result.done == 3 and [failure.name for failure in result.failed] == ["a"]
    assert [row["name"] for row in csv.DictReader((out / "failed.csv").open())] == ["a"]
    assert not (out / "labels/a.png").exists()
    (pictures / "a.png").write_bytes(whole)
    again = label(segmenter, pictures, out)
    assert (again.done, again.resumed, again.failed) == (1, 3, ())


def test_on_error_stop_keeps_what_is_written(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    (pictures / "sub/c.png").write_bytes(b"not a picture")
    with pytest.raises(PictureError, match=r"c\.png"):
        label(segmenter, pictures, tmp_path / "out", on_error="stop")
    assert (tmp_path / "out/labels/a.png").is_file()


def test_batches_of_pictures_give_the_labels_of_single_ones(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    label(segmenter, pictures, tmp_path / "one", batch_size=1)
    label(segmenter, pictures, tmp_path / "three", batch_size=3)
    for path in sorted((tmp_path / "one/labels").rglob("*.png")):
        other = tmp_path / "three/labels" / path.relative_to(tmp_path / "one/labels")
        assert (np.array(Image.open(path)) == np.array(Image.open(other))).mean() > 0.999


def test_a_plan_counts_files_and_windows_and_writes_nothing(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    (pictures / "broken.png").write_bytes(b"")
    before = sorted(tmp_path.rglob("*"))
    source = open_source(str(pictures))
    plan = measure(FolderRun(segmenter, source, parse_classes(CLASSES), options=RunOptions()))
    assert (plan["files"], plan["unreadable"], plan["windows"]) == (5, 1, 4)
    assert plan["largest_picture"] == "48x64" and plan["peak_memory_mb"] > 0 and plan["estimated_seconds"] >= 0
    assert sorted(tmp_path.rglob("*")) == before


def test_file_names_that_are_no_utf_8_are_labelled_too(segmenter: Segmenter, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    with open(os.fsencode(folder) + b"/caf\xe9.png", "wb") as stream:
        Image.fromarray(np.zeros((20, 30, 3), np.uint8)).save(stream, "PNG")
    result = label(segmenter, folder, tmp_path / "out", kinds=KINDS)
    assert (result.done, result.failed) == (1, ())


def test_an_edited_template_file_redoes_everything(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    templates = tmp_path / "templates.txt"
    templates.write_text("a photo of a {}.\n")
    label(segmenter, pictures, tmp_path / "out", templates=str(templates))
    assert label(segmenter, pictures, tmp_path / "out", templates=str(templates)).resumed == 4
    templates.write_text("a drawing of a {}.\n")
    assert label(segmenter, pictures, tmp_path / "out", templates=str(templates)).resumed == 0


def test_outputs_of_old_classes_do_not_stay_beside_the_new(
    segmenter: Segmenter, pictures: Path, tmp_path: Path
) -> None:
    out, fresh = tmp_path / "out", tmp_path / "fresh"
    label(segmenter, pictures, out, kinds=KINDS)
    label(segmenter, pictures, out, classes="cat; sky; car", kinds=("labels",))
    label(segmenter, pictures, fresh, classes="cat; sky; car", kinds=("labels",))
    assert files_of(out) == files_of(fresh)


def test_thresholds_of_a_run_are_those_of_one_picture(segmenter: Segmenter, pictures: Path, tmp_path: Path) -> None:
    confidence = segmenter.predict(pictures / "a.png", parse_classes(CLASSES)).confidence
    thresholds = {"cat": float(np.median(confidence)), "road": 1.0}
    label(segmenter, pictures, tmp_path / "out", thresholds=thresholds)
    alone = segmenter.predict(pictures / "a.png", parse_classes(CLASSES), threshold=thresholds)
    assert (alone.label_map == 255).mean() > 0
    np.testing.assert_array_equal(np.array(Image.open(tmp_path / "out/labels/a.png")), alone.label_map)
