"""Trident around its model: sizes and windows, labels from logits with synonyms, PAMR, connected regions."""

from __future__ import annotations

import re

import numpy as np
import torch

from densevl.core.structures import ScoreMap, Segmentation
from densevl.ops import label_picture, pamr, window_boxes
from densevl.ops.probability import ClassProbabilities
from densevl.ops.regions import add_region, connected_regions
from densevl.ops.windows import splice_size
from densevl.tasks.thresholds import apply_threshold
from tests.golden_checks import checks
from tests.golden_checks.sliding_window import PADDED_TO
from tests.golden_reader import GoldenFile, assert_close

ATOL = 1e-5
TIE = 1e-4


@checks("segmentation/trident_geometry_post")
@torch.no_grad()
def check_trident_geometry_post(file: GoldenFile) -> None:
    _check_geometry(file)
    _check_labels(file)
    _check_pamr(file)
    _check_regions(file)


def _check_geometry(file: GoldenFile) -> None:
    columns = file.config["geometry_cols"]
    crop, stride = (int(number) for number in re.findall(r"slide_(?:crop|stride) (\d+)", columns))
    assert columns.startswith("stride,h,w,proc_h,proc_w,grid_h,grid_w,win_h,win_w,last_loc(y1,x1,y2,x2 in tokens),ok")
    for patch, height, width, *expected in file["geometry"].tolist():
        size = splice_size(height, width, multiple=patch, least=crop)
        boxes = window_boxes(*size, crop=crop, stride=stride)
        grid = [len(boxes[:, 1].unique()), len(boxes[:, 0].unique())]
        x0, y0, x1, y1 = boxes[-1].tolist()
        # the reference pads a window; ours is as small as the picture, where the reference then fails
        padded = [-(-side // PADDED_TO) * PADDED_TO for side in (y1 - y0, x1 - x0)]
        last = [place // patch for place in (y0, x0, y1, x1)]
        whole = int(not (boxes % patch).any())
        assert [*size, *grid, *padded, *last, whole] == expected, (patch, height, width)


def _check_labels(file: GoldenFile) -> None:
    """A softmax over all queries, the best synonym of each class; the first class where nothing is sure enough."""
    logits, class_index = file.tensor("post/logits")[0], file.tensor("post/query_idx")  # [Q, H, W]
    names, size = file.config["names"], (logits.shape[1], logits.shape[2])
    assert [len(name.split("; ")) for name in names] == class_index.bincount().tolist()
    scores = file.config["logit_scale"] * logits[None]
    score_map = ScoreMap(scores, canvas=size, extent=size, logits=True, class_index=class_index)
    found = ClassProbabilities(score_map, size)
    probabilities = torch.stack([found[k] for k in range(len(names))])
    labels, confidence = label_picture(score_map, size)
    # thresholds send to the class that is left over: published, it is always the first
    leftover = tuple("background" if k == 0 else name for k, name in enumerate(names))
    result = Segmentation(labels, confidence, np.zeros((1, 1), np.float32), leftover)
    best = probabilities.topk(2, dim=0).values
    for key in file.keys("post/thd"):
        case, kind = key.rsplit("/", 1)
        if kind == "prob":
            assert_close(probabilities, file[key], atol=ATOL)
            continue
        threshold = float(case.removeprefix("post/thd"))
        label_map = apply_threshold(result, threshold).label_map
        settled = ((best[0] - best[1] >= TIE) & ((best[0] - threshold).abs() >= TIE)).numpy()
        assert file[key][0].shape == label_map.shape
        np.testing.assert_array_equal(label_map[settled], file[key][0][settled])


def _check_pamr(file: GoldenFile) -> None:
    pixels, scores = file.tensor("pamr/img"), file.tensor("pamr/mask")
    for key in file.keys("pamr/out_"):
        steps, dilations = re.fullmatch(r"pamr/out_iter(\d+)_d([\d_]+)", key).groups()
        distances = [int(distance) for distance in dilations.split("_")]
        assert_close(pamr(pixels, scores, steps=int(steps), dilations=distances), file[key], atol=ATOL)


def _check_regions(file: GoldenFile) -> None:
    settings = file.config["split"]
    one_hot, scores = file["split/seg"], file["split/logits"]
    classes = [k for k in range(len(one_hot)) if scores[k].max() >= settings["coarse_thresh"]]
    found = {k: connected_regions(one_hot[k] > 0, scores[k], least_area=settings["minimal_area"]) for k in classes}
    cases = {int(key.split("/")[1]) for key in file.keys("split/") if key.count("/") == 2}
    assert cases == {k for k, regions in found.items() if regions}
    assert not settings["split_last"] or len(one_hot) - 1 not in cases
    for k in cases:
        masks = np.zeros((len(found[k]), *scores[k].shape), dtype=bool)
        for mask, region in zip(masks, found[k], strict=True):
            add_region(mask, region)
        assert_close(masks, file[f"split/{k}/regions"] > 0, atol=0)
        assert_close(np.array([region.box for region in found[k]]), file[f"split/{k}/boxes"], atol=0)
        assert_close(np.array([region.point for region in found[k]]), file[f"split/{k}/points"], atol=0)
        means = [scores[k][mask].mean() for mask in masks]  # of each region; the refinement asks for none
        assert_close(np.array(means), file[f"split/{k}/scores"], atol=ATOL)
