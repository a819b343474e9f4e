from __future__ import annotations

import pytest

from densevl.data.label_causes import cause_outside, doubts_inside, is_scored
from densevl.data.label_maps import LabelRule


def test_ids_of_the_list_and_ignored_ones_have_no_cause() -> None:
    assert cause_outside([0, 18, 255], LabelRule(19)) is None
    assert cause_outside([0, 11, 255], LabelRule(11, frozenset({11}))) is None
    assert cause_outside(range(151), LabelRule(150, reduce_zero_label=True)) is None


@pytest.mark.parametrize(
    ("ids", "rule", "dataset", "told"),
    [
        (range(34), LabelRule(19), "cityscapes", "raw labelIds (0..33), not trainIds: run csCreateTrainIdLabelImgs"),
        ([7, 11, 26, 255], LabelRule(19), "cityscapes", "raw labelIds"),
        ([7, 26000, 26012, 24001], LabelRule(19), "cityscapes", "ids of instances (class * 1000 + number)"),
        ([0, 3, 700], LabelRule(150), "", "of instances, or of a larger class list"),
        ([0, 90, 181, 255], LabelRule(81), "coco_object", "raw ids of things and stuff (0..181), not those of 81"),
        ([0, 171, 255], LabelRule(171), "coco_stuff", "raw ids of things and stuff"),
        ([0, 1, 150], LabelRule(150), "ade20k", "ids count from 1 (0 is left for other): add --reduce-zero-label"),
        ([1, 2, 3], LabelRule(3), "folders", "ids count from 1 (0 does not occur): add --reduce-zero-label"),
        ([0, 14, 38, 75, 113], LabelRule(21), "voc21", "--ignore 38,75,113"),
        ([0, 152], LabelRule(150, reduce_zero_label=True), "ade20k", "made with another class list"),
    ],
)
def test_the_likely_cause_is_told_with_its_cure(ids, rule: LabelRule, dataset: str, told: str) -> None:
    assert told in str(cause_outside(ids, rule, dataset=dataset))


def test_what_is_scored_follows_the_rule() -> None:
    rule = LabelRule(3, frozenset({2}), reduce_zero_label=True)
    assert [is_scored(i, rule) for i in (0, 1, 2, 3, 4, 255)] == [False, True, False, True, False, False]


def test_ids_that_were_reduced_already_are_doubted_once_there_is_enough_to_see() -> None:
    rule = LabelRule(3, reduce_zero_label=True)
    (doubt,) = doubts_inside([0, 1, 2, 255], rule, annotations=100)
    assert "reduce_zero_label must be False" in doubt
    assert doubts_inside([0, 1, 2, 255], rule, annotations=3) == []
    assert doubts_inside([0, 1, 2, 3, 255], rule, annotations=100) == []
    assert doubts_inside([0, 1, 2], rule, annotations=100) == []
    assert doubts_inside([0, 1, 2, 255], LabelRule(3), annotations=100) == []


def test_masks_of_one_object_and_empty_annotations_are_doubted() -> None:
    assert "write the object as 1" in doubts_inside([0, 255], LabelRule(2), annotations=1)[0]
    assert "no pixel is scored: only 255 occur" in doubts_inside([255], LabelRule(2), annotations=1)[0]
    assert "no pixel is scored" in doubts_inside([0, 255], LabelRule(2, reduce_zero_label=True), annotations=1)[0]
