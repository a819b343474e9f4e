"""Counts of scores against labels: values by hand, ties, shards, what is absent."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import DataError, ShapeError, UsageError
from densevl.core.stages import Metric
from densevl.metrics import ClassificationReport, rank_of_label


def _random(seed: int, batch: int, classes: int) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    return rng.integers(0, 4, (batch, classes)) / 4, rng.integers(0, classes, batch)  # many ties


def test_it_is_a_metric() -> None:
    assert isinstance(ClassificationReport(3), Metric)


def test_three_items_of_six_classes_by_hand() -> None:
    report = ClassificationReport(6)
    descending = np.array([6.0, 5, 4, 3, 2, 1])
    report.update(np.stack([descending] * 3), np.array([0, 4, 5]))
    figures = report.compute()
    assert figures["top1"] == pytest.approx(100 / 3)
    assert figures["top5"] == pytest.approx(200 / 3)
    assert figures["mean_class"] == pytest.approx(100 / 3)
    assert figures["items"].tolist() == [1, 0, 0, 0, 1, 1]
    assert report.confusion[[0, 4, 5], 0].tolist() == [1, 1, 1]


def test_mean_class_accuracy_weighs_classes_not_items() -> None:
    report = ClassificationReport(2)
    report.update(np.array([[1.0, 0], [1, 0], [1, 0], [1, 0]]), np.array([0, 0, 0, 1]))
    figures = report.compute()
    assert (figures["top1"], figures["mean_class"]) == (75.0, 50.0)


def test_a_class_without_items_is_left_out_of_the_mean() -> None:
    report = ClassificationReport(3)
    report.update(np.array([[1.0, 0, 0], [1, 0, 0]]), np.array([0, 1]))
    figures = report.compute()
    assert np.isnan(figures["accuracy"][2])
    assert figures["mean_class"] == 50.0


def test_of_equal_scores_the_earlier_class_ranks_first() -> None:
    scores = np.zeros((7, 7))
    assert rank_of_label(scores, np.arange(7)).tolist() == [0, 1, 2, 3, 4, 5, 6]
    report = ClassificationReport(7)
    report.update(scores, np.arange(7))
    assert report.compute()["top5"] == pytest.approx(500 / 7)
    assert report.confusion[:, 0].tolist() == [1] * 7


def test_the_rank_is_the_place_in_a_stable_sort() -> None:
    scores, labels = _random(0, 200, 9)
    order = np.argsort(-scores, axis=1, kind="stable")
    expected = [int(np.flatnonzero(row == label)[0]) for row, label in zip(order, labels, strict=True)]
    assert rank_of_label(scores, labels).tolist() == expected


def test_below_five_classes_top_5_is_of_all_of_them_and_says_so() -> None:
    report = ClassificationReport(3)
    report.update(*_random(1, 20, 3))
    figures = report.compute()
    assert (figures["top5"], figures["top5_of"]) == (100.0, 3)
    assert ClassificationReport(8).compute()["top5_of"] == 5


def test_a_batch_counts_as_its_items_one_by_one() -> None:
    scores, labels = _random(2, 50, 8)
    whole, single = ClassificationReport(8), ClassificationReport(8)
    whole.update(scores, labels)
    for row, label in zip(scores, labels, strict=True):
        single.update(row[None], np.array([label]))
    assert (whole.counts == single.counts).all()


def test_ranks_count_as_the_scores_they_come_from() -> None:
    scores, labels = _random(4, 40, 8)
    by_scores, by_ranks = ClassificationReport(8), ClassificationReport(8)
    by_scores.update(scores, labels)
    by_ranks.update_ranked(scores.argmax(axis=1), rank_of_label(scores, labels), labels)
    assert (by_scores.counts == by_ranks.counts).all()
    with pytest.raises(ShapeError, match="for each label"):
        by_ranks.update_ranked(labels, labels[1:], labels)


def test_counts_of_shards_add_up_to_one_runs() -> None:
    scores, labels = _random(3, 51, 6)
    whole, parts = ClassificationReport(6), [ClassificationReport(6) for _ in range(3)]
    whole.update(scores, labels)
    whole.miss(np.array([2]))
    whole.skip(2)
    for place, part in enumerate(parts):
        part.update(scores[place::3], labels[place::3])
    parts[0].miss(np.array([2]))
    parts[2].skip(2)
    parts[0].merge(parts[1])
    parts[0].add_counts(parts[2].counts)
    assert (parts[0].counts == whole.counts).all()
    assert (parts[0].confusion == whole.confusion).all()


def test_an_item_without_an_answer_is_wrong_and_a_skipped_one_lowers_the_coverage_alone() -> None:
    report = ClassificationReport(2)
    report.update(np.array([[1.0, 0], [1, 0]]), np.array([0, 0]))
    report.miss(np.array([0, 1]))
    report.skip()
    figures = report.compute()
    assert (figures["top1"], figures["top5"]) == (50.0, 50.0)
    assert figures["mean_class"] == pytest.approx(100 / 3)
    assert (figures["counted"], figures["answered"], figures["unanswered"], figures["skipped"]) == (4, 2, 2, 1)
    assert figures["coverage"] == pytest.approx(2 / 5)
    assert report.confusion.sum() == 2


def test_nothing_counted_is_no_number() -> None:
    figures = ClassificationReport(2).compute()
    assert all(np.isnan(figures[name]) for name in ("top1", "top5", "mean_class", "coverage"))


@pytest.mark.parametrize(
    ("scores", "labels"),
    [
        (np.zeros((2, 3)), np.zeros(2, dtype=int)),
        (np.zeros((2, 4)), np.zeros(3, dtype=int)),
        (np.full((1, 4), np.nan), np.zeros(1, dtype=int)),
        (np.zeros((1, 4)), np.zeros(1)),
    ],
    ids=["other classes", "other labels", "NaN", "float labels"],
)
def test_scores_and_labels_that_do_not_fit_are_refused(scores: np.ndarray, labels: np.ndarray) -> None:
    report = ClassificationReport(4)
    with pytest.raises(ShapeError, match="expected"):
        report.update(scores, labels)
    assert not report.counts.any()


@pytest.mark.parametrize("label", [-1, 4])
def test_a_label_that_is_no_class_is_named(label: int) -> None:
    report = ClassificationReport(4)
    with pytest.raises(DataError, match=rf"0\.\.3, got {label}"):
        report.update(np.zeros((1, 4)), np.array([label]))
    with pytest.raises(DataError, match=rf"got {label}"):
        report.miss(np.array([label]))


def test_counts_of_other_classes_are_refused() -> None:
    with pytest.raises(ShapeError, match="3 classes"):
        ClassificationReport(3).merge(ClassificationReport(4))
    with pytest.raises(UsageError, match="at least one class"):
        ClassificationReport(0)
