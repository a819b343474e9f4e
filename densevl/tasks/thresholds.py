"""The least probability of a label."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np

from densevl.core.errors import UsageError
from densevl.core.structures import Segmentation, no_label_id
from densevl.vocab.grammar import is_leftover

Threshold = float | Mapping[str, float]


def apply_threshold(result: Segmentation, threshold: Threshold) -> Segmentation:
    """Take the label from pixels whose probability is below their class's threshold.

    They go to the first class that is named for what is left over (background, other, ...); where there is none, they
    stay without a label.

    Args:
        result: labels that each have a class.
        threshold: for all classes, or by name.

    Raises:
        UsageError: as `least_confidence`.
    """
    names = result.class_names
    least = least_confidence(names, threshold)
    if not least.any():
        return result
    other = next((k for k, name in enumerate(names) if is_leftover(name)), no_label_id(len(names)))
    unsure = result.confidence < least[result.label_map]
    label_map = np.where(unsure, np.array(other, dtype=result.label_map.dtype), result.label_map)
    return replace(result, label_map=label_map)


def least_confidence(names: Sequence[str], threshold: Threshold) -> np.ndarray:
    """[K] float32, the least probability of each class, from one number or numbers by name.

    Raises:
        UsageError: no class of that name, or no probability.
    """
    by_name = threshold if isinstance(threshold, Mapping) else dict.fromkeys(names, threshold)
    for name, value in by_name.items():
        if name not in names:
            raise UsageError(f"threshold for '{name}': there is no such class; classes: {', '.join(names)}")
        if not 0.0 <= value <= 1.0:
            raise UsageError(f"threshold {value} for '{name}': a probability lies in [0, 1]")
    return np.array([by_name.get(name, 0.0) for name in names], dtype=np.float32)
