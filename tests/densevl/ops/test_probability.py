from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch.testing import assert_close

from densevl.core.errors import ShapeError
from densevl.core.structures import ScoreMap
from densevl.ops import interpolate_scores, label_picture, window_boxes
from densevl.ops.probability import ClassProbabilities, best_query


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


@pytest.mark.parametrize("windows", [False, True])
@pytest.mark.parametrize("logits", [False, True])
def test_a_class_is_as_probable_as_its_best_query_after_a_softmax_over_all(logits: bool, windows: bool) -> None:
    class_index = torch.tensor([1, 0, 1, 2, 1])
    score_map = replace(make_map(logits=logits, windows=windows), class_index=class_index)
    found = ClassProbabilities(score_map, (33, 41))
    together = interpolate_scores(score_map, (33, 41))  # [Q, H, W]
    queries = together.softmax(dim=0) if logits else together
    expected = torch.stack([queries[class_index == k].amax(dim=0) for k in range(3)])
    assert len(found) == 3
    assert_close(torch.stack([found[k] for k in range(3)]), expected, atol=5e-6, rtol=0)
    labels, confidence = label_picture(score_map, (33, 41))
    own = expected.gather(0, torch.from_numpy(labels.astype("int64"))[None])[0]
    assert_close(torch.from_numpy(confidence), own, atol=5e-6, rtol=0)
    assert all(float(found[k].max()) <= found.ceiling(k) + 5e-6 for k in range(3))


def test_the_best_query_of_each_class_is_found_on_any_axes() -> None:
    scores = torch.randn(2, 3, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    found = best_query(scores, torch.tensor([1, 0, 1, 2, 1]), 3)
    assert found.dtype == torch.float64
    assert_close(found, torch.stack([scores[..., 1], scores[..., [0, 2, 4]].amax(-1), scores[..., 3]], dim=-1))
    assert_close(found[1], best_query(scores[1], torch.tensor([1, 0, 1, 2, 1]), 3))
    order = torch.tensor([3, 0, 4, 1, 2])
    assert_close(best_query(scores, order, 5)[..., order], scores)
    with pytest.raises(ShapeError, match=r"expected scores \[..., 4\]"):
        best_query(scores, torch.zeros(4, dtype=torch.long), 1)
