"""Made-up results that the tests of this folder share."""

import numpy as np
import torch

from densevl.core.structures import ScoreMap, Segmentation


def make_result(label_map, num_classes=3, windows=None, **fields):
    """A Segmentation of a label map; `windows`: with random scores of so many windows (0: one map, no boxes)."""
    rng = np.random.default_rng(0)
    kind = np.uint8 if num_classes <= 255 else np.uint16
    label_map = np.asarray(label_map).astype(kind)
    if windows is not None:
        boxes = torch.arange(4 * windows).reshape(windows, 4) if windows else None
        scores = torch.rand(max(1, windows), num_classes, 4, 5, generator=torch.Generator().manual_seed(0))
        fields["score_map"] = ScoreMap(scores, (64, 80), (64.0, 80.5), boxes)
    return Segmentation(
        label_map=label_map,
        confidence=rng.random(label_map.shape, dtype=np.float32),
        doubt_map=rng.random((4, 5), dtype=np.float32),
        class_names=tuple(f"class {k}" for k in range(num_classes)),
        **fields,
    )


def make_picture(height, width):
    return np.random.default_rng(1).integers(0, 256, (height, width, 3), dtype=np.uint8)
