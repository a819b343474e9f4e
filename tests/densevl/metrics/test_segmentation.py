from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from densevl.core.errors import DataError, ShapeError, UsageError
from densevl.metrics import MeanIoU, reduce_zero_label


@pytest.fixture(params=["numba", "numpy"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both counters: compiled, and plain numpy as where numba is absent."""
    if request.param == "numpy":
        monkeypatch.setitem(sys.modules, "densevl.metrics.kernels", None)
    return request.param


def random_maps(classes: int, seed: int = 0, kind: type = np.uint8) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    pred, label = rng.integers(0, classes, (2, 37, 41)).astype(kind)
    return pred, np.where(rng.random(label.shape) < 0.1, kind(255), label)


def test_a_worked_example(path: str) -> None:
    metric = MeanIoU(3)
    metric.update(np.array([[0, 0, 1, 1]], np.uint8), np.array([[0, 1, 1, 255]], np.uint8))
    figures = metric.compute()
    assert metric.confusion.tolist() == [[1, 0, 0], [1, 1, 0], [0, 0, 0]]
    np.testing.assert_array_equal(figures["IoU"], [0.5, 0.5, np.nan])
    np.testing.assert_array_equal(figures["Acc"], [1.0, 0.5, np.nan])
    assert figures["mIoU"] == pytest.approx(50)
    assert figures["mAcc"] == pytest.approx(75)
    assert figures["aAcc"] == pytest.approx(200 / 3)
    assert figures["fwIoU"] == pytest.approx(50)


def test_the_confusion_matrix_counts_every_pair(path: str) -> None:
    pred, label = random_maps(7)
    metric = MeanIoU(7)
    metric.update(pred, label)
    expected = [[np.sum((label == row) & (pred == column)) for column in range(7)] for row in range(7)]
    assert metric.confusion.dtype == np.int64
    np.testing.assert_array_equal(metric.confusion, expected)


def test_a_prediction_of_no_class_is_wrong_and_belongs_to_no_class(path: str) -> None:
    metric = MeanIoU(2)
    metric.update(np.array([[0, 255, 200, 1]], np.uint8), np.array([[0, 0, 1, 1]], np.uint8))
    figures = metric.compute()
    np.testing.assert_array_equal(figures["IoU"], [0.5, 0.5])
    assert figures["aAcc"] == pytest.approx(50)
    assert metric.confusion.sum() == 2


def test_the_area_of_a_class_holds_its_pixels_without_a_label_and_none_that_is_ignored() -> None:
    metric = MeanIoU(3)
    metric.update(np.array([[0, 255, 1, 2]]), np.array([[0, 0, 1, 255]]))
    assert metric.label_area.tolist() == [2, 1, 0]


def test_a_class_that_is_only_predicted_has_an_iou_of_zero(path: str) -> None:
    metric = MeanIoU(2)
    metric.update(np.array([[0, 1]]), np.array([[0, 0]]))
    figures = metric.compute()
    np.testing.assert_array_equal(figures["IoU"], [0.5, 0.0])
    np.testing.assert_array_equal(figures["Acc"], [0.5, np.nan])


@pytest.mark.parametrize(("kind", "stray"), [(np.uint8, 11), (np.int64, -3), (np.uint16, 300)])
def test_a_label_outside_the_list_is_named(path: str, kind: type, stray: int) -> None:
    label = np.array([[0, 255, stray]], kind)
    metric = MeanIoU(11)
    with pytest.raises(DataError, match=rf"got {stray};"):
        metric.update(np.zeros_like(label), label)
    assert metric.confusion.sum() == 0


def test_shards_add_up(path: str) -> None:
    whole, first, second = MeanIoU(5), MeanIoU(5), MeanIoU(5)
    for seed, part in ((1, first), (2, second)):
        for metric in (whole, part):
            metric.update(*random_maps(5, seed))
    first.merge(second)
    np.testing.assert_array_equal(first.confusion, whole.confusion)
    with pytest.raises(ShapeError, match="num_classes 5, got num_classes 6"):
        first.merge(MeanIoU(6))


def test_many_classes_ignore_another_id(path: str) -> None:
    metric = MeanIoU(300, ignore_index=65535)
    metric.update(np.array([[255, 299, 65535]], np.uint16), np.array([[255, 65535, 299]], np.uint16))
    assert metric.confusion[255, 255] == metric.confusion.sum() == 1
    with pytest.raises(UsageError, match="65535"):
        MeanIoU(300)
    with pytest.raises(UsageError, match="at least one class"):
        MeanIoU(0)


def test_without_any_picture_the_figures_are_nan() -> None:
    figures = MeanIoU(2).compute()
    assert all(np.isnan(figures[name]) for name in ("mIoU", "mAcc", "aAcc", "fwIoU"))


def test_faulty_maps_are_errors() -> None:
    with pytest.raises(ShapeError, match="one size"):
        MeanIoU(2).update(np.zeros((2, 3), np.uint8), np.zeros((3, 2), np.uint8))
    with pytest.raises(ShapeError, match="integer"):
        MeanIoU(2).update(np.zeros((2, 3), np.float32), np.zeros((2, 3), np.uint8))


def test_the_confusion_matrix_is_a_copy() -> None:
    metric = MeanIoU(2)
    metric.confusion[:] = 7
    assert not metric.confusion.any()


def test_zero_becomes_ignored_and_the_rest_goes_down_by_one() -> None:
    label = np.array([[0, 1, 2, 254, 255]], np.uint8)
    assert reduce_zero_label(label).tolist() == [[255, 0, 1, 253, 255]]
    assert label.tolist() == [[0, 1, 2, 254, 255]]
    with pytest.raises(ShapeError, match="uint8"):
        reduce_zero_label(label.astype(np.int64))


def test_counts_are_plain_numbers_of_what_occurs_and_add_up(path: str) -> None:
    parts, whole, summed = [], MeanIoU(200), MeanIoU(200)
    for seed in range(3):
        pred, label = random_maps(4, seed)
        pred[0, 0], label[0, 0] = 255, 199  # no class
        part = MeanIoU(200)
        for metric in (part, whole):
            metric.update(pred, label)
        parts.append(json.loads(json.dumps(part.counts())))
    assert all(len(rows) <= 17 for rows in parts)
    for rows in reversed(parts):
        summed.add_counts(rows)
    np.testing.assert_array_equal(summed.confusion, whole.confusion)
    np.testing.assert_array_equal(summed.label_area, whole.label_area)
    assert summed.label_area[199] == 3 and MeanIoU(2).counts() == []


def test_counts_of_more_classes_are_refused() -> None:
    metric = MeanIoU(9)
    metric.update(np.array([[8]]), np.array([[8]]))
    other = MeanIoU(2)
    with pytest.raises(ShapeError, match=r"index in 0\.\.5"):
        other.add_counts(metric.counts())
    assert other.counts() == []


@pytest.mark.parametrize("kinds", [("u1", "u2"), ("u2", "u1"), ("u2", "u2"), ("i8", "u1"), ("u1", "i4")])
def test_maps_of_different_kinds_count_alike(path: str, kinds: tuple[str, str]) -> None:
    pred, label = random_maps(5)
    mixed, plain = MeanIoU(5), MeanIoU(5)
    mixed.update(pred.astype(kinds[0]), label.astype(kinds[1]))
    plain.update(pred.astype(np.int64), label.astype(np.int64))
    np.testing.assert_array_equal(mixed.confusion, plain.confusion)


def test_maps_that_are_not_contiguous_are_counted(path: str) -> None:
    pred, label = random_maps(5)
    metric, plain = MeanIoU(5), MeanIoU(5)
    metric.update(pred[::2, ::3], label[::2, ::3])
    plain.update(pred[::2, ::3].copy(), label[::2, ::3].copy())
    np.testing.assert_array_equal(metric.confusion, plain.confusion)
