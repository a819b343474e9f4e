from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from densevl.core.structures import ScoreMap
from densevl.ops import interpolate_scores, window_boxes
from densevl.ops.probability import ClassProbabilities


def make_map(*, logits: bool, windows: bool) -> ScoreMap:
    boxes = window_boxes(48, 80, crop=48, stride=16) if windows else None
    scores = torch.randn(1 if boxes is None else len(boxes), 5, 6, 7, generator=torch.Generator().manual_seed(0))
    scores = scores * 8 if logits else scores.softmax(dim=1)
    return ScoreMap(scores, (48, 80), (48, 80) if boxes is None else (48, 48), boxes, logits=logits)


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("logits", [False, True])
def test_classes_one_by_one_are_what_all_of_them_are(logits: bool, windows: bool) -> None:
    score_map = make_map(logits=logits, windows=windows)
    found = ClassProbabilities(score_map, (33, 41))
    together = interpolate_scores(score_map, (33, 41))
    expected = together.softmax(dim=0) if logits else together
    assert_close(torch.stack([found[k] for k in range(len(found))]), expected, atol=5e-6, rtol=0)
    assert len(found) == 5 and found.size == (33, 41)


@pytest.mark.parametrize("logits", [False, True])
def test_no_pixel_exceeds_the_ceiling(logits: bool) -> None:
    found = ClassProbabilities(make_map(logits=logits, windows=True), (33, 41))
    assert all(float(found[k].max()) <= found.ceiling(k) + 5e-6 for k in range(len(found)))
    assert logits or found.ceiling(0) < 1.0
