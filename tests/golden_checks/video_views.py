"""Sizes, boxes, pixels and the order of the views."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from tests.golden_checks import checks
from tests.golden_reader import GoldenFile, assert_close
from video.boxes import crop_boxes, multi_scale_box
from video.transforms import EvaluationViews, crop_views, resize_short_side, room_to_crop

ATOL, RTOL = 2e-5, 1e-5
CROPS = {"CenterCrop": "centre", "ThreeCrop": "three"}
VALIDATION = {"1crop": "centre", "3crop": "three"}


def numbered_frames(views: int, length: int, height: int, width: int) -> np.ndarray:
    """[V, T, H, W, 3]: every pixel says its row, its column and the number of its frame."""
    rows, columns, frames = np.meshgrid(range(height), range(width), range(views * length), indexing="ij")
    picture = np.stack([rows, columns, frames], axis=-1).astype(np.uint8)  # [H, W, V*T, 3]
    return np.moveaxis(picture, 2, 0).reshape(views, length, height, width, 3)


def first_pixels(views: np.ndarray) -> list[list[int]]:
    return views[:, :, 0, 0].reshape(-1, 3).tolist()  # (top, left, frame) of every frame


def pair(text: str) -> tuple[int, int]:
    first, second = text.split("x")
    return int(first), int(second)


def check_crops(meta: dict[str, Any]) -> set[str]:
    cases = {key: (key.split(":")[0], *pair(key.split(":")[1])) for key in meta if key.split(":")[0] in CROPS}
    crop = min(min(sides) for _, *sides in cases.values())  # the fixture's crop: its smallest frame is one
    for key, (kind, height, width) in cases.items():
        frames = numbered_frames(1, 1 + max(row[2] for row in meta[key]), height, width)
        boxes = crop_boxes(height, width, size=crop, crops=CROPS[kind])
        assert first_pixels(crop_views(frames, boxes)) == meta[key], key
    return set(cases)


def check_layout(key: str, expected: list[list[list[int]]]) -> None:
    clips, length = (int(part[1:]) for part in key.split("_")[-2:])
    margin = max(left for view in expected for _, left in view)
    boxes = crop_boxes(margin, 2 * margin, size=margin, crops="three")
    found = crop_views(numbered_frames(clips, length, margin, 2 * margin), boxes)[:, :, 0, 0]  # [views, T, 3]
    assert found[..., [2, 1]].tolist() == expected, key


def check_multi_scale(key: str, expected: dict[str, list[int]]) -> None:
    height, width = pair(key.split("_")[-1])
    size = next(size for size in range(1, height + width) if room_to_crop(size) == min(height, width))
    for seed, corners in expected.items():
        top, left, rows, columns = multi_scale_box(height, width, size=size, rng=random.Random(int(seed)))
        assert [left, top, left + columns, top + rows] == corners, (key, seed)


def check_sizes(expected: dict[str, list[int]]) -> None:
    for case, (columns, rows) in expected.items():
        width, height = pair(case.split("->")[0])
        resized = resize_short_side(np.zeros((1, height, width, 3), np.uint8), int(case.split("->")[1]))
        assert resized.shape == (1, rows, columns, 3), case


def check_meta(meta: dict[str, Any]) -> None:
    for key in meta.keys() - check_crops(meta):
        if key.startswith("view_layout"):
            check_layout(key, meta[key])
        elif key.startswith("multiscalecrop"):
            check_multi_scale(key, meta[key])
        elif key == "resize_wh":
            check_sizes(meta[key])
        else:
            assert key == "scale_resize", f"nothing compares {key}"
            assert {size: room_to_crop(int(size)) for size in meta[key]} == meta[key]


@checks("video/views_crops")
def check_views_crops(file: GoldenFile) -> None:
    check_meta(json.loads(str(file["meta"])))
    frames = file["in:imgs"]  # [T, H, W, 3]
    for key in file.keys("out:"):
        name, *parts = key.removeprefix("out:").split("_")
        if name == "val":
            crops, size = VALIDATION[parts[0]], int(parts[1].removeprefix("R"))
            views = EvaluationViews(size, crops=crops)(frames[None])  # [views, T, 3, R, R]
            assert_close(views.flatten(0, 1), file[key], atol=ATOL, rtol=RTOL)
        else:
            side = int(name.removeprefix("resize"))
            np.testing.assert_array_equal(resize_short_side(frames, side), file[key], err_msg=key)
