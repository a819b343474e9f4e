"""What a threshold takes labels from."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from densevl.core.errors import UsageError
from densevl.core.structures import Segmentation
from densevl.tasks.thresholds import apply_threshold, least_confidence


def make_result(confidence: list[float], labels: list[int], names: tuple[str, ...]) -> Segmentation:
    return Segmentation(
        label_map=np.array([labels], np.uint8),
        confidence=np.array([confidence], np.float32),
        doubt_map=np.zeros((1, 1), np.float32),
        class_names=names,
    )


def test_a_threshold_sends_unsure_pixels_to_the_background_class_or_to_no_label() -> None:
    result = make_result([0.9, 0.4, 0.4, 0.9], [0, 0, 1, 1], ("cat", "dog"))
    per_class = apply_threshold(result, {"cat": 0.5})
    assert per_class.label_map.tolist() == [[0, 255, 1, 1]]
    with_background = replace(result, class_names=("cat", "dog", "background"))
    assert apply_threshold(with_background, 0.5).label_map.tolist() == [[0, 2, 2, 1]]
    assert apply_threshold(result, 0.0) is result


def test_each_class_has_its_least_probability() -> None:
    assert least_confidence(("cat", "dog"), 0.25).tolist() == [0.25, 0.25]
    assert least_confidence(("cat", "dog"), {"dog": 0.5}).tolist() == [0.0, 0.5]
    for threshold, message in (({"cow": 0.5}, "no such class"), ({"cat": 2.0}, "lies in"), (-0.1, "lies in")):
        with pytest.raises(UsageError, match=message):
            least_confidence(("cat", "dog"), threshold)
