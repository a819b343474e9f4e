"""Mixup, cutmix, smoothed labels and their losses."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import torch

from densevl.losses import soft_target_cross_entropy
from tests.golden_checks import checks
from tests.golden_reader import GoldenFile, assert_close
from video.boxes import Box
from video.mixing import ClipMixer, cutmix, cutmix_box, mixup, smooth_labels

ATOL, RTOL = 2e-5, 1e-5


def recorded_box(case: dict[str, Any], height: int, width: int) -> Box:
    left, top, right, bottom = case["bbox_xyxy"]
    box = Box(top, left, bottom - top, right - left)
    ours = {cutmix_box(height, width, lam=case["lam"], centre=(y, x)) for y in range(height) for x in range(width)}
    assert box in ours, f"no centre gives {box}"
    return box


@checks("video/mixup_cutmix")
def check_mixing(file: GoldenFile) -> None:
    meta = json.loads(str(file["meta"]))
    clips, labels, logits = file.tensor("in:imgs"), file.tensor("in:label").flatten(), file.tensor("in:logits")
    smoothed = smooth_labels(labels, logits.shape[1])
    found = {"soft_onehot": smoothed, "label_smooth_loss": soft_target_cross_entropy(logits, smoothed)}
    mixer = ClipMixer()
    for name in meta:
        if name == "switch":
            draws = [mixer.takes_cutmix(np.random.RandomState(seed)) for seed in range(len(meta[name]))]
            assert draws == meta[name]
            continue
        partner = torch.tensor(meta[name]["perm"])
        if meta[name]["bbox_xyxy"] is None:
            mixed, targets = mixup(clips, smoothed, lam=meta[name]["lam"], partner=partner)
        else:
            box = recorded_box(meta[name], *clips.shape[-2:])
            mixed, targets = cutmix(clips, smoothed, box=box, partner=partner)
        loss = soft_target_cross_entropy(logits, targets)
        found |= {f"{name}:imgs": mixed, f"{name}:label": targets, f"{name}:loss": loss}
    assert {f"out:{name}" for name in found} == set(file.keys("out:"))
    for name, value in found.items():
        assert_close(value, file[f"out:{name}"], atol=ATOL, rtol=RTOL)
