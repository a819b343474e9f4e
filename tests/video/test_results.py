"""A prediction: order, ties, margin."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import ShapeError
from video.results import ClipPrediction


def test_a_prediction_ranks_its_classes() -> None:
    result = ClipPrediction(("a", "b", "c"), np.array([0.2, 0.7, 0.1], dtype=np.float32))
    assert (result.label, result.ranking) == ("b", (1, 0, 2))
    assert result.score == pytest.approx(0.7) and result.margin == pytest.approx(0.5)
    assert [name for name, _ in result.top(2)] == ["b", "a"]
    assert repr(result) == "ClipPrediction(b 70%, a 20%, c 10%)"


def test_of_equals_the_earlier_class_wins_without_a_margin() -> None:
    result = ClipPrediction(("a", "b"), np.array([0.5, 0.5], dtype=np.float32))
    assert (result.label, result.margin) == ("a", 0.0)


def test_one_class_has_its_probability_as_margin() -> None:
    assert ClipPrediction(("a",), np.array([1.0], dtype=np.float32)).margin == 1.0


@pytest.mark.parametrize(("names", "count"), [(("a", "b"), 3), ((), 0)])
def test_a_score_for_each_class_is_wanted(names: tuple[str, ...], count: int) -> None:
    with pytest.raises(ShapeError, match="expected scores"):
        ClipPrediction(names, np.zeros(count, dtype=np.float32))
