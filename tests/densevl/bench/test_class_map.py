from __future__ import annotations

import numpy as np
import pytest
import torch.nn.functional as F
from torch import Tensor

from densevl.bench.class_map import Labels, compare_labels, plain_class_map, smooth_scene
from densevl.ops import class_map

SIZE = (90, 130)


@pytest.fixture
def scores() -> Tensor:
    return smooth_scene((20, 8, 12), 3.0)


@pytest.fixture
def plain(scores: Tensor) -> Labels:
    return plain_class_map(scores, SIZE)


def test_both_forms_agree(scores: Tensor, plain: Labels) -> None:
    equal, difference = compare_labels(scores, class_map(scores, SIZE), plain)
    assert equal
    assert difference < 1e-5


def test_wrong_labels_and_wrong_scores_are_not_equal(scores: Tensor, plain: Labels) -> None:
    one_wrong = plain[0].copy()
    one_wrong[3, 4] = (one_wrong[3, 4] + 1) % 20
    assert not compare_labels(scores, (one_wrong, plain[1]), plain)[0]
    assert not compare_labels(scores, ((plain[0] + 1) % 20, plain[1]), plain)[0]
    assert not compare_labels(scores, (plain[0], plain[1] + np.float32(1e-3)), plain)[0]


def test_either_label_is_right_where_two_classes_tie(scores: Tensor) -> None:
    scores = scores.clone()
    scores[7] = scores[int(plain_class_map(scores, SIZE)[0][5, 6])]
    plain = plain_class_map(scores, SIZE)
    other = plain[0].copy()
    rows, cols = np.nonzero(
        np.isclose(F.interpolate(scores[None], SIZE, mode="bilinear")[0, 7].numpy(), plain[1], 0, 0)
    )
    other[rows[0], cols[0]] = 7
    assert compare_labels(scores, (other, plain[1]), plain)[0]


@pytest.mark.parametrize(("classes", "smoothness", "few", "many"), [(150, 3.0, 7, 10), (1203, 2.6, 24, 31)])
def test_as_many_classes_can_win_in_a_cell_as_in_real_scenes(
    classes: int, smoothness: float, few: float, many: float
) -> None:
    scores = smooth_scene((classes, 28, 42), smoothness)[None]
    most, least = F.max_pool2d(scores, 2, 1), -F.max_pool2d(-scores, 2, 1)
    assert few < (most >= least.amax(1, keepdim=True)).sum(1).float().mean() < many
