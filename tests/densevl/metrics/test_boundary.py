from __future__ import annotations

import json
import sys

import cv2
import numpy as np
import pytest

from densevl.core.errors import DataError, ShapeError, UsageError
from densevl.metrics import BoundaryIoU


@pytest.fixture(params=["numba", "opencv"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both counters: compiled, and the plain one as where numba is absent."""
    if request.param == "opencv":
        monkeypatch.setitem(sys.modules, "densevl.metrics.boundary_kernels", None)
    return request.param


def blobs(size: tuple[int, int], classes: int, seed: int) -> np.ndarray:
    """[H, W] uint8: smooth regions."""
    rng = np.random.default_rng(seed)
    coarse = rng.random((classes, 5, 6)).astype(np.float32)
    smooth = [cv2.resize(one, size[::-1], interpolation=cv2.INTER_CUBIC) for one in coarse]
    return np.argmax(smooth, axis=0).astype(np.uint8)


def boundary(mask: np.ndarray, distance: int) -> np.ndarray:
    """The definition, literally: the mask less its erosion, d times with 3x3, nothing being outside of the picture."""
    outside = cv2.copyMakeBorder(mask.astype(np.uint8), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=0)
    eroded = cv2.erode(outside, np.ones((3, 3), np.uint8), iterations=distance)[1:-1, 1:-1]
    return mask & (eroded == 0)


def literal(pred: np.ndarray, label: np.ndarray, classes: int, distance: int) -> list[list[int]]:
    scored = label != 255
    counts = []
    for k in range(classes):
        guessed, true = (boundary((labels == k) & scored, distance) for labels in (pred, label))
        counts.append([k, int((guessed & true).sum()), int((guessed | true).sum())])
    return [row for row in counts if row[2]]


def test_a_worked_example(path: str) -> None:
    label = np.zeros((7, 8), np.uint8)
    label[:, 4:] = 1
    pred = np.zeros((7, 8), np.uint8)
    pred[:, 5:] = 1
    metric = BoundaryIoU(3)  # d = 1
    metric.update(pred, label)
    # class 0: rings of 7x4 (18 pixels) and 7x5 (20); common: 4 + 4 + 5 pixels of three sides and no more
    # class 1: rings of 7x4 (18) and 7x3 (16); common: 3 + 3 + 5 of three sides
    assert metric.counts() == [[0, 13, 25], [1, 11, 23]]
    figures = metric.compute()
    np.testing.assert_array_equal(figures["boundary_IoU"], [13 / 25, 11 / 23, np.nan])
    assert figures["boundary_mIoU"] == pytest.approx(50 * (13 / 25 + 11 / 23))


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (3, 300), (40, 61), (97, 64), (150, 201)])
@pytest.mark.parametrize("ratio", [0.001, 0.02, 0.1])
def test_it_is_the_erosion_of_every_mask(path: str, size: tuple[int, int], ratio: float) -> None:
    distance = max(1, round(ratio * float(np.hypot(*size))))
    for seed in range(3):
        label, pred = blobs(size, 6, seed), blobs(size, 6, seed)
        pred[blobs(size, 4, seed + 50) == 0] = 5
        pred[blobs(size, 9, seed + 60) == 0] = 255
        label[blobs(size, 7, seed + 70) == 0] = 255
        metric = BoundaryIoU(6, dilation_ratio=ratio)
        metric.update(pred, label)
        assert metric.counts() == literal(pred, label, 6, distance)


def test_noise_is_all_boundary(path: str) -> None:
    pred, label = np.random.default_rng(0).integers(0, 3, (2, 60, 80)).astype(np.uint8)
    metric = BoundaryIoU(3)
    metric.update(pred, label)
    assert metric.counts() == literal(pred, label, 3, 2)


def test_the_width_is_a_part_of_the_diagonal_and_at_least_one_pixel(path: str) -> None:
    rings = {0.0001: 1, 0.02: 2, 0.022: 3, 0.024: 3}  # of 125 pixels: 0.0125, 2.5 (to even, as published), 2.75, 3
    for ratio, ring in rings.items():
        metric = BoundaryIoU(1, dilation_ratio=ratio)
        metric.update(np.zeros((75, 100), np.uint8), np.zeros((75, 100), np.uint8))
        area = 75 * 100 - (75 - 2 * ring) * (100 - 2 * ring)
        assert metric.counts() == [[0, area, area]]


def test_what_is_right_wherever_it_is_scored_has_all_whatever_stands_in_ignored_pixels(path: str) -> None:
    label = blobs((90, 120), 5, 1)
    label[30:50, 20:90] = 255
    for seed in (2, 3):
        metric = BoundaryIoU(5)
        metric.update(np.where(label == 255, blobs(label.shape, 5, seed), label), label)
        assert metric.compute()["boundary_mIoU"] == 100
        metric.update(blobs(label.shape, 5, seed), label)
        assert metric.compute()["boundary_mIoU"] < 100


def test_a_prediction_of_no_class_has_no_boundary_of_its_own_and_makes_one_for_others(path: str) -> None:
    label = np.zeros((20, 20), np.uint8)
    pred = label.copy()
    pred[10, 10] = 200
    metric = BoundaryIoU(2)
    metric.update(pred, label)
    assert metric.counts() == [[0, 76, 84]]
    empty = BoundaryIoU(2)
    empty.update(np.full_like(label, 255), label)
    assert empty.counts() == [[0, 0, 76]]


def test_shards_in_any_order_and_through_a_journal_give_the_same(path: str) -> None:
    maps = [(blobs((50, 70), 7, seed), blobs((50, 70), 7, seed + 9)) for seed in range(4)]
    whole, merged, journalled, singles = BoundaryIoU(8), BoundaryIoU(8), BoundaryIoU(8), []
    for pair in maps:
        whole.update(*pair)
        singles.append(BoundaryIoU(8))
        singles[-1].update(*pair)
    for single in reversed(singles):
        merged.merge(single)
        journalled.add_counts(json.loads(json.dumps(single.counts())))
    assert merged.counts() == journalled.counts() == whole.counts()
    assert 7 not in [row[0] for row in whole.counts()]
    assert merged.compute()["boundary_mIoU"] == whole.compute()["boundary_mIoU"]


def test_a_stray_label_is_named_and_nothing_is_counted(path: str) -> None:
    label = np.array([[0, 255, 11], [0, 0, 0]], np.uint8)
    metric = BoundaryIoU(11)
    with pytest.raises(DataError, match="got 11;"):
        metric.update(np.zeros_like(label), label)
    assert metric.counts() == []


def test_many_classes_ignore_another_id_and_kinds_may_differ(path: str) -> None:
    metric = BoundaryIoU(300, ignore_index=65535)
    metric.update(np.array([[255, 299, 65535]], np.int64), np.array([[255, 65535, 299]], np.uint16))
    assert metric.counts() == [[255, 1, 1], [299, 0, 1]]
    narrow = BoundaryIoU(300, ignore_index=65535)
    narrow.update(np.full((9, 9), 7, np.uint8), np.full((9, 9), 7, np.uint8))
    assert narrow.counts() == [[7, 32, 32]]


def test_without_any_pixel_the_figures_are_nan(path: str) -> None:
    metric = BoundaryIoU(2)
    for size in ((0, 0), (0, 5), (5, 0)):
        metric.update(np.zeros(size, np.uint8), np.zeros(size, np.uint8))
    figures = metric.compute()
    assert np.isnan(figures["boundary_mIoU"])
    assert np.isnan(figures["boundary_IoU"]).all()


def test_faulty_arguments_are_errors() -> None:
    with pytest.raises(ShapeError, match="one size"):
        BoundaryIoU(2).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
    with pytest.raises(UsageError, match="65535"):
        BoundaryIoU(300)
    for ratio in (0, -0.1, 1.5, float("nan")):
        with pytest.raises(UsageError, match="dilation_ratio"):
            BoundaryIoU(2, dilation_ratio=ratio)
    for other in (BoundaryIoU(3), BoundaryIoU(2, dilation_ratio=0.01)):
        with pytest.raises(ShapeError, match=r"num_classes 2, dilation_ratio 0\.02, got"):
            BoundaryIoU(2).merge(other)
    with pytest.raises(ShapeError, match="rows of 3"):
        BoundaryIoU(2).add_counts([[2, 1, 1]])
