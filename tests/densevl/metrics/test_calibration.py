from __future__ import annotations

import json
import sys

import numpy as np
import pytest

from densevl.core.errors import DataError, ShapeError, UsageError
from densevl.metrics import CalibrationError

Maps = tuple[np.ndarray, np.ndarray, np.ndarray]


@pytest.fixture(params=["numba", "numpy"])
def path(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Both counters: compiled, and plain numpy as where numba is absent."""
    if request.param == "numpy":
        monkeypatch.setitem(sys.modules, "densevl.metrics.calibration_kernels", None)
    return request.param


def random_maps(seed: int, size: tuple[int, int] = (31, 45)) -> Maps:
    rng = np.random.default_rng(seed)
    pred, label = rng.integers(0, 3, (2, *size)).astype(np.uint8)
    label[rng.random(size) < 0.1] = 255
    pred[rng.random(size) < 0.1] = 255
    return rng.random(size).astype(np.float32), pred, label


def literal(confidence: np.ndarray, pred: np.ndarray, label: np.ndarray, num_bins: int) -> float:
    """Guo et al., equation 3, bin by bin in float64."""
    scored = (label != 255) & (pred != 255)
    confidence, right = confidence[scored].astype(np.float64), (pred == label)[scored]
    error = 0.0
    for b in range(num_bins):
        chosen = (confidence > b / num_bins) & (confidence <= (b + 1) / num_bins)
        if chosen.any():
            error += chosen.mean() * abs(right[chosen].mean() - confidence[chosen].mean())
    return 100 * error


def test_a_worked_example(path: str) -> None:
    metric = CalibrationError(num_bins=2)
    metric.update(np.array([[0.25, 0.5, 0.75, 1.0]]), np.array([[0, 1, 1, 0]]), np.array([[0, 0, 1, 0]]))
    figures = metric.compute()
    one = 2**24
    assert metric.counts() == [[0, 2, 1, 3 * one // 4], [1, 2, 2, 7 * one // 4]]
    # 0.375 on average and half of them right; 0.875 and all of them right
    assert figures["ECE"] == pytest.approx(100 * (0.5 * 0.125 + 0.5 * 0.125))
    assert figures["ECE_bins"]["pixels"].tolist() == [2, 2]
    assert figures["ECE_bins"]["confidence"].tolist() == [0.375, 0.875]
    assert figures["ECE_bins"]["accuracy"].tolist() == [0.5, 1.0]


@pytest.mark.parametrize("num_bins", [1, 10, 15])
def test_it_is_the_definition(path: str, num_bins: int) -> None:
    for seed in range(3):
        maps = random_maps(seed)
        metric = CalibrationError(num_bins)
        metric.update(*maps)
        assert metric.compute()["ECE"] == pytest.approx(literal(*maps, num_bins), abs=1e-5)


def test_bins_take_their_upper_edge_and_the_first_takes_zero(path: str) -> None:
    confidence = np.array([[0.0, 0.25, 0.2500001, 0.5, 0.75, 0.7500001, 1.0]], np.float32)
    metric = CalibrationError(num_bins=4)
    metric.update(confidence, np.zeros((1, 7), np.uint8), np.zeros((1, 7), np.uint8))
    assert metric.compute()["ECE_bins"]["pixels"].tolist() == [2, 2, 1, 2]


def test_confident_and_right_is_no_error_and_confident_and_wrong_is_all(path: str) -> None:
    for label, expected in ((0, 0.0), (1, 100.0)):
        metric = CalibrationError()
        metric.update(np.ones((4, 5), np.float32), np.zeros((4, 5), np.uint8), np.full((4, 5), label, np.uint8))
        assert metric.compute()["ECE"] == expected


def test_ignored_pixels_and_those_without_a_prediction_are_left_out(path: str) -> None:
    metric = CalibrationError()
    metric.update(np.array([[0.9, 0.9, 0.9]]), np.array([[0, 255, 0]]), np.array([[255, 0, 0]]))
    assert [row[:3] for row in metric.counts()] == [[13, 1, 1]]
    wide = CalibrationError(ignore_index=65535)
    wide.update(np.array([[0.9, 0.9]]), np.array([[255, 65535]], np.uint16), np.array([[255, 0]], np.uint16))
    assert [row[:3] for row in wide.counts()] == [[13, 1, 1]]


def test_rounding_beyond_one_counts_as_one(path: str) -> None:
    metric = CalibrationError()
    metric.update(np.array([[1.0005, -0.0005]]), np.zeros((1, 2), np.uint8), np.zeros((1, 2), np.uint8))
    assert metric.counts() == [[0, 1, 1, 0], [14, 1, 1, 2**24]]


def test_shards_in_any_order_and_through_a_journal_give_the_same(path: str) -> None:
    whole, merged, journalled, singles = *(CalibrationError() for _ in range(3)), []
    for seed in range(5):
        maps = random_maps(seed)
        whole.update(*maps)
        singles.append(CalibrationError())
        singles[-1].update(*maps)
    for single in reversed(singles):
        merged.merge(single)
        journalled.add_counts(json.loads(json.dumps(single.counts())))
    assert merged.counts() == journalled.counts() == whole.counts()
    assert merged.compute()["ECE"] == whole.compute()["ECE"]


def test_only_bins_with_pixels_are_kept(path: str) -> None:
    metric = CalibrationError()
    metric.update(np.full((2, 2), 0.5, np.float16), np.zeros((2, 2), np.uint8), np.zeros((2, 2), np.int64))
    assert metric.counts() == [[7, 4, 4, 4 * 2**23]]
    assert np.isnan(metric.compute()["ECE_bins"]["accuracy"]).sum() == 14


def test_without_any_pixel_the_error_is_nan(path: str) -> None:
    metric = CalibrationError()
    metric.update(np.zeros((0, 4), np.float32), np.zeros((0, 4), np.uint8), np.zeros((0, 4), np.uint8))
    assert np.isnan(metric.compute()["ECE"])


@pytest.mark.parametrize("wrong", [float("nan"), float("inf"), 1.2, -0.3])
def test_what_is_no_probability_is_an_error(path: str, wrong: float) -> None:
    confidence = np.full((2, 3), 0.5, np.float32)
    confidence[1, 1] = wrong
    metric = CalibrationError()
    with pytest.raises(DataError, match=r"in 0\.\.1"):
        metric.update(confidence, np.zeros((2, 3), np.uint8), np.zeros((2, 3), np.uint8))
    assert metric.counts() == []


def test_faulty_arguments_are_errors() -> None:
    labels = np.zeros((2, 3), np.uint8)
    with pytest.raises(ShapeError, match="one size"):
        CalibrationError().update(np.zeros((2, 3)), labels, labels.T)
    for confidence in (np.zeros((3, 2)), labels):
        with pytest.raises(ShapeError, match="confidence map of floats"):
            CalibrationError().update(confidence, labels, labels)
    with pytest.raises(UsageError, match="at least one bin"):
        CalibrationError(0)
    with pytest.raises(ShapeError, match="num_bins 15, got num_bins 10"):
        CalibrationError().merge(CalibrationError(10))
    with pytest.raises(ShapeError, match="rows of 4"):
        CalibrationError().add_counts([[15, 1, 1, 1]])
