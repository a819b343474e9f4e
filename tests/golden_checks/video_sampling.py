"""Frame numbers of every sampler, and the crops of M2-CLIP."""

from __future__ import annotations

import json
import random
from typing import Any

import numpy as np

from tests.golden_checks import checks
from tests.golden_reader import GoldenFile
from video.boxes import crop_boxes
from video.sampling import sample_frames


def mmcv_frames(row: dict[str, Any]) -> np.ndarray:
    options = dict(row["kw"])
    clip_length, stride, clips = (options.pop(name) for name in ("clip_len", "frame_interval", "num_clips"))
    spread = options.pop("frame_uniform", False)
    test, twice, draws = (options.pop(name, default) for name, default in _MMCV_DEFAULTS.items())
    past_end = options.pop("out_of_bound_opt", "loop")
    assert not options, f"options that no rule stands for: {options}"
    seeded = random.Random if spread else np.random.RandomState
    rng = None if test else seeded(row["seed"])
    if clip_length > 1 and not spread:  # the peers draw all clips anew for every view
        asked = {"rule": "dense", "num_frames": clip_length, "stride": stride, "views": clips}
        return np.stack([sample_frames(row["total"], **asked, past_end=past_end, rng=rng) for _ in range(draws)])
    if spread:
        asked = {"rule": "uniform", "num_frames": clip_length, "views": draws}
    elif twice:
        asked = {"rule": "twice", "num_frames": clips, "views": 2}
    else:
        asked = {"rule": "segment", "num_frames": clips, "views": draws}
    return sample_frames(row["total"], **asked, past_end=past_end, rng=rng)


_MMCV_DEFAULTS = {"test_mode": False, "twice_sample": False, "multiview": 1}


@checks("video/sampling_mmcv")
def check_sampling_mmcv(file: GoldenFile) -> None:
    rows = json.loads(str(file["rows"]))
    assert rows
    for row in rows:
        assert mmcv_frames(row).reshape(-1).tolist() == row["inds"], row


def m2clip_frames(row: dict[str, Any]) -> np.ndarray:
    test = row["mode"].endswith("_test")
    rng = None if test else np.random.RandomState(row["seed"])
    if row["rate"] == 0:
        return sample_frames(row["total"], num_frames=row["T"], rule="uniform", views=row.get("views", 1), rng=rng)
    return sample_frames(
        row["total"],
        num_frames=row["T"],
        rule="slide",
        stride=row["rate"],
        views=row.get("views", 1),
        past_end="clamp" if test else "repeat_last",
        rng=rng,
    )


@checks("video/sampling_m2clip")
def check_sampling_m2clip(file: GoldenFile) -> None:
    rows = json.loads(str(file["rows"]))
    assert rows
    for row in rows:
        assert m2clip_frames(row).tolist() == np.atleast_2d(row["inds"]).tolist(), row
    for case, boxes in json.loads(str(file["spatial"])).items():
        sides, views = case.split(":")
        height, width = (int(side) for side in sides.split("x"))
        crops = "centre" if int(views) == 1 else f"spread{views}"
        found = crop_boxes(height, width, size=min(height, width), crops=crops)
        assert [list(box) for box in found] == boxes, case
