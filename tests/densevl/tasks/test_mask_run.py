from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from densevl.data import open_source
from densevl.tasks.mask_generator import MaskGenerator, MaskSettings
from densevl.tasks.mask_run import MaskRun
from tests.tiny import tiny_sam

LAX = MaskSettings(3, pred_iou_thresh=-99.0, stability_score_thresh=0.0)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for index, name in enumerate(("one.png", "two.png")):
        pixels = np.random.default_rng(index).integers(0, 256, (40, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / name)
    return folder


def make_run(pictures: Path, settings: MaskSettings = LAX) -> MaskRun:
    generator = MaskGenerator(tiny_sam(seed=1), settings, header={"model": "tiny", "weights": "0123"})
    return MaskRun(generator, open_source(str(pictures)), device="cpu")


def files_of(out: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in out.rglob("*")
        if path.is_file() and path.suffix in (".json", ".jpg", ".csv") and path.name != "run.json"
    }


def test_every_picture_has_a_document_with_its_header_and_an_overlay(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    result = make_run(pictures).run(out)
    assert (result.done, result.failed) == (2, ())
    document = json.loads((out / "masks/one.json").read_text())
    assert document["image"] == {"name": "one", "height": 40, "width": 60}
    assert (document["model"], document["weights"]) == ("tiny", "0123")
    assert document["settings"]["points_per_side"] == 3
    areas = [int(coco_mask.area(item["segmentation"])) for item in document["annotations"]]
    assert areas == [item["area"] for item in document["annotations"]] == sorted(areas, reverse=True) and areas
    assert Image.open(out / "overlay/one.jpg").size[0] >= 60
    rows = list(csv.DictReader(io.StringIO((out / "summary.csv").read_text())))
    assert [row["name"] for row in rows] == ["one", "two"] and rows[0]["masks"] == str(len(areas))
    assert json.loads((out / "run.json").read_text())["settings"]["model"] == "tiny"


def test_the_same_command_goes_on_and_ends_with_the_same_bytes(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_run(pictures).run(out)
    whole = files_of(out)
    assert make_run(pictures).run(out).resumed == 2
    (out / "masks/one.json").write_text("{")
    result = make_run(pictures).run(out)
    assert (result.done, result.resumed) == (1, 1)
    assert files_of(out) == whole


def test_other_settings_start_anew(pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    make_run(pictures).run(out)
    assert make_run(pictures, MaskSettings(2, pred_iou_thresh=-99.0)).run(out).done == 2


def test_a_picture_that_cannot_be_read_is_listed(pictures: Path, tmp_path: Path) -> None:
    (pictures / "one.png").write_bytes(b"no picture")
    result = make_run(pictures).run(tmp_path / "out")
    assert result.done == 1 and [failure.name for failure in result.failed] == ["one"]
    assert "one" in (tmp_path / "out/failed.csv").read_text()
