"""Classes that hold too little of a picture's foreground lose it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import torch

from densevl.core.errors import UsageError
from densevl.core.structures import ScoreMap, TextBank
from densevl.ops.resize import label_picture
from densevl.vocab.grammar import is_leftover


@dataclass(frozen=True)
class SmallClassRefiner:
    """Scores of a picture -> the same, the rows of small foreground classes muted.

    The picture is labelled once. Of the pixels that are no background (the first class named background, other, ...; a
    list without one is all foreground), every class must hold more than a share; the others' pixels go to the next most
    probable class. Probabilities stay what they were, as published: the muted still count in the softmax. Where no
    class would be left, none is muted.

    Attributes:
        least_share: of the foreground, exclusive; published 0.1, for PASCAL VOC with background.

    Source: Wang et al., "SCLIP", ECCV 2024, code (area_thd).
    """

    whole_picture: ClassVar[bool] = True
    least_share: float = 0.1

    def __post_init__(self) -> None:
        """Check the range."""
        if not 0 <= self.least_share < 1:
            raise UsageError(f"expected a least_share in [0, 1), got {self.least_share}")

    def __call__(self, score_map: ScoreMap, *, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        """Refine."""
        labels, _ = label_picture(score_map, (picture.shape[0], picture.shape[1]))
        areas = np.bincount(labels.ravel(), minlength=bank.num_classes)  # [K]
        foreground = np.ones(bank.num_classes, dtype=bool)
        foreground[[k for k, name in enumerate(bank.class_names) if is_leftover(name)][:1]] = False
        small = foreground & (areas <= self.least_share * areas[foreground].sum())
        if small.all():
            return score_map
        classes = np.arange(bank.num_classes) if score_map.class_index is None else score_map.class_index.cpu().numpy()
        return replace(score_map, muted=torch.from_numpy(small[classes]))
