"""Counting a label map against its annotation, compiled against whole-array operations."""

from __future__ import annotations

import numpy as np

from densevl.bench.scenario import Scenario
from densevl.metrics import MeanIoU

_CLASSES = 150
_IGNORED = 255
_SIZE = (1500, 2000)
_REGIONS = (30, 40)  # rectangles of one class; the prediction is the annotation moved aside

Maps = tuple[np.ndarray, np.ndarray]
Areas = tuple[np.ndarray, np.ndarray, np.ndarray]


def scenarios() -> list[Scenario]:
    """3 megapixels, 150 classes."""
    return [
        Scenario(name="metric", prepare=label_maps, ours=count_areas, reference=plain_areas, compare=compare_areas),
    ]


def label_maps() -> Maps:
    """Prediction and annotation, uint8 [H, W]."""
    ids = np.random.default_rng(0).integers(0, _CLASSES, _REGIONS).astype(np.uint8)
    label = np.kron(ids, np.ones((_SIZE[0] // _REGIONS[0], _SIZE[1] // _REGIONS[1]), dtype=np.uint8))
    pred = np.roll(label, 17, axis=1)
    label[:50] = _IGNORED
    return pred, label


def count_areas(maps: Maps) -> Areas:
    """Intersection, predicted and labelled area of each class, from our confusion matrix."""
    metric = MeanIoU(_CLASSES, ignore_index=_IGNORED)
    metric.update(*maps)
    confusion = metric.confusion
    return confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)


def plain_areas(maps: Maps) -> Areas:
    """The same three areas the usual way: leave out ignored pixels, then one histogram each."""
    import torch

    pred, label = (torch.from_numpy(part.astype(np.int64)) for part in maps)
    valid = label != _IGNORED
    pred, label = pred[valid], label[valid]
    parts = (pred[pred == label], pred, label)
    hits, predicted, labelled = (
        torch.histc(part.float(), bins=_CLASSES, min=0, max=_CLASSES - 1).numpy() for part in parts
    )
    return hits, predicted, labelled


def compare_areas(maps: Maps, ours: Areas, reference: Areas) -> tuple[bool, float]:
    """Equal counts."""
    largest = max(float(np.abs(mine - plain).max()) for mine, plain in zip(ours, reference, strict=True))
    return largest == 0, largest
