"""Sliding windows: the boxes, the mean over windows and the labels, around a toy network."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.core.structures import ScoreMap
from densevl.ops import merge_windows, window_boxes, window_class_map
from tests.golden_checks import checks
from tests.golden_reader import GoldenFile, assert_close

ATOL = 1e-5
TIE = 1e-4
PADDED_TO = 56  # ProxyCLIP pads each window, centred, to a multiple of this (specification, section c.3)


def toy_network(file: GoldenFile) -> Callable[[Tensor], Tensor]:
    """The network that `config["toy"]` describes: a convolution and a ramp of the position inside the window."""
    weight = file.tensor("toy_conv_weight")

    def network(pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:]
        ramp = torch.linspace(0, 1, height)[:, None] + torch.linspace(0, 2, width)[None]
        return F.conv2d(pixels, weight, padding=1) + ramp

    return network


def padded(network: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The network on windows padded with zeros on all sides, its scores cut back."""

    def padded_network(pixels: Tensor) -> Tensor:
        height, width = pixels.shape[2:]
        top, left = (-height % PADDED_TO) // 2, (-width % PADDED_TO) // 2
        bottom, right = -height % PADDED_TO - top, -width % PADDED_TO - left
        return network(F.pad(pixels, (left, right, top, bottom)))[:, :, top : top + height, left : left + width]

    return padded_network


def score_windows(file: GoldenFile, case: str, network: Callable[[Tensor], Tensor]) -> ScoreMap:
    image = file.tensor(f"{case}/img")
    height, width, crop, stride = file[f"{case}/params"].tolist()[:4]
    assert image.shape[2:] == (height, width)
    boxes = window_boxes(height, width, crop=crop, stride=stride)
    windows = torch.cat([image[:, :, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes.tolist()])
    return ScoreMap(network(windows), (height, width), windows.shape[2:], boxes)


def assert_labels(score_map: ScoreMap, expected: np.ndarray) -> None:
    """Equal labels, except where the two best scores are close."""
    size = expected.shape[-2:]
    labels, _ = window_class_map(score_map, size)
    scores = F.interpolate(merge_windows(score_map)[None], size, mode="bilinear", align_corners=False)[0]
    best = scores.topk(2, dim=0).values
    settled = (best[0] - best[1] >= TIE).numpy()
    np.testing.assert_array_equal(labels[settled], expected.reshape(size)[settled])


@checks("segmentation/sliding_window")
def check_sliding_window(file: GoldenFile) -> None:
    network = toy_network(file)
    file.config["toy"]
    for case in dict.fromkeys(key.split("/")[0] for key in file.keys("") if "/" in key):
        score_map = score_windows(file, case, padded(network) if case.startswith("proxy") else network)
        merged = merge_windows(score_map)[None]
        if f"{case}/logits_at_ori" in file:
            expected = file[f"{case}/logits_at_ori"]
            assert expected.shape[2:] == tuple(file[f"{case}/params"].tolist()[4:])
            assert_close(F.interpolate(merged, expected.shape[2:], mode="bilinear"), expected, atol=ATOL)
            assert_labels(score_map, expected.argmax(axis=1))
        else:
            assert len(score_map.scores) == file[f"{case}/n_windows"]
            assert_close(merged, file[f"{case}/logits"], atol=ATOL)
            assert file[f"{case}/argmax_at_ori"].shape[1:] == tuple(file[f"{case}/ori"].tolist())
            assert_labels(score_map, file[f"{case}/argmax_at_ori"])
