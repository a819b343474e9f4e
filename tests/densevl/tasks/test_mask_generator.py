from __future__ import annotations

import json

import numpy as np
import pytest
import torch
from pycocotools import mask as coco_mask
from segment_anything import SamAutomaticMaskGenerator

from densevl.core.errors import ShapeError, UsageError
from densevl.tasks import mask_generator
from densevl.tasks.mask_generator import MaskGenerator, MaskSettings, PictureMasks
from tests.tiny import tiny_sam

LAX = {"points_per_side": 5, "pred_iou_thresh": -99.0, "stability_score_thresh": 0.0}


def make_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def test_the_masks_are_segment_anythings() -> None:
    sam, picture = tiny_sam(seed=7), make_picture(60, 90)
    found = MaskGenerator(sam, MaskSettings(**LAX)).predict(picture)
    with torch.inference_mode():
        expected = SamAutomaticMaskGenerator(sam.sam, **LAX).generate(picture)
    expected = sorted((record for record in expected if record["area"]), key=lambda record: -record["area"])
    assert len(found.records) == len(expected) > 1
    for record, other in zip(found.records, expected, strict=True):
        mask = coco_mask.decode(record["segmentation"]).astype(bool)
        assert (mask != other["segmentation"]).mean() < 1e-3
        assert record["area"] == mask.sum() and abs(record["predicted_iou"] - other["predicted_iou"]) < 1e-4
    json.dumps(found.records, allow_nan=False)


def test_the_settings_stand_in_the_header() -> None:
    header = MaskGenerator(tiny_sam(), MaskSettings(**LAX), header={"model": "tiny"}).header
    assert header["model"] == "tiny" and header["settings"] == {**LAX, "min_mask_region_area": 0}


def test_a_picture_is_encoded_once_for_the_masks_and_who_else_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    sam, picture, embedded = tiny_sam(seed=1), make_picture(60, 90), []
    embed = sam.embed
    monkeypatch.setattr(sam, "embed", lambda pixels: embedded.append(1) or embed(pixels))
    MaskGenerator(sam, MaskSettings(**LAX)).predict(picture)
    sam.encode_image(sam.fit(picture))
    assert len(embedded) == 1


def test_few_points_at_a_time_find_the_same_masks(monkeypatch: pytest.MonkeyPatch) -> None:
    sam, picture = tiny_sam(seed=7), make_picture(60, 90)
    all_at_once = MaskGenerator(sam, MaskSettings(**LAX)).predict(picture)
    monkeypatch.setattr(mask_generator, "_MASK_NUMBERS", 1)
    one_by_one = MaskGenerator(sam, MaskSettings(**LAX)).predict(picture)
    areas = [[record["area"] for record in found.records] for found in (all_at_once, one_by_one)]
    np.testing.assert_allclose(*areas, rtol=0.01)


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (2, 200)])
def test_pictures_below_a_patch_and_slivers_have_masks_or_none(size: tuple[int, int]) -> None:
    found = MaskGenerator(tiny_sam(seed=1), MaskSettings(**LAX)).predict(make_picture(*size))
    assert found.size == size == found.label_map().shape


def test_a_picture_may_have_no_mask() -> None:
    found = MaskGenerator(tiny_sam(seed=1), MaskSettings(2, pred_iou_thresh=99.0)).predict(make_picture(60, 90))
    assert found.records == [] and (found.label_map() == 0).all()


def test_small_masks_lie_over_large_ones() -> None:
    large, small = np.zeros((2, 4, 6), dtype=np.uint8)
    large[:, :4], small[:2, :2] = 1, 1
    records = [{"segmentation": coco_mask.encode(np.asfortranarray(mask))} for mask in (large, small)]
    numbers = PictureMasks((4, 6), records).label_map()
    assert numbers[0].tolist() == [1, 1, 0, 0, 2, 2] and numbers[3].tolist() == [0, 0, 0, 0, 2, 2]


def test_what_is_no_picture_and_settings_out_of_range_are_named() -> None:
    with pytest.raises(ShapeError, match=r"expected a picture uint8 RGB \[H, W, 3\], got float32"):
        MaskGenerator(tiny_sam()).predict(np.zeros((4, 4, 3), np.float32))
    with pytest.raises(UsageError, match="1 to 512 points a side"):
        MaskSettings(0)


@pytest.mark.parametrize(
    "wrong",
    [
        {"points_per_side": 0},
        {"points_per_side": 60_000},
        {"pred_iou_thresh": float("nan")},
        {"stability_score_thresh": float("inf")},
        {"min_mask_region_area": -1},
    ],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError):
        MaskSettings(**wrong)
