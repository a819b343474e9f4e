"""A label map on disk scored against its annotation, two PNG files, against whole-array operations."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densevl.bench.metric import Areas, compare_areas, plain_areas
from densevl.bench.scenario import Scenario

_CLASSES, _PRESENT = 150, 20  # as many of them as a picture of ADE20K may hold
_IGNORED = 255
_SIZE = (1500, 2000)
_GRID = (12, 16)  # blobs some hundred pixels wide


@dataclass(frozen=True)
class MaskFolders:
    """Folders of predictions and annotations, in a folder that goes with them."""

    folder: tempfile.TemporaryDirectory[str]
    predictions: Path
    annotations: Path


def scenarios() -> list[Scenario]:
    """3 megapixels, 150 classes; the seconds are those of one picture."""
    return [
        Scenario(
            name="eval-masks-150",
            prepare=write_masks,
            ours=score_folders,
            reference=score_plainly,
            compare=compare_folders,
            quick=False,
        ),
    ]


def write_masks() -> MaskFolders:
    """Blobs, the prediction moved aside, a strip that is not scored."""
    from PIL import Image

    folder = tempfile.TemporaryDirectory(prefix="densevl-")
    found = MaskFolders(folder, Path(folder.name) / "pred", Path(folder.name) / "gt")
    label = draw_blobs(_SIZE)
    pred = np.roll(label, (9, 17), axis=(0, 1))
    label[:50] = _IGNORED
    for path, ids in ((found.predictions, pred), (found.annotations, label)):
        path.mkdir()
        Image.fromarray(ids).save(path / "picture.png")
    return found


def draw_blobs(size: tuple[int, int]) -> np.ndarray:
    """A label map [H, W] uint8: of some smooth random fields, the highest at each pixel."""
    import cv2

    generator = np.random.default_rng(0)
    best = np.full(size, -np.inf, dtype=np.float32)
    label = np.zeros(size, dtype=np.uint8)
    for k in generator.choice(_CLASSES, _PRESENT, replace=False):
        field = cv2.resize(generator.standard_normal(_GRID).astype(np.float32), size[::-1])
        label[field > best] = k
        best = np.maximum(best, field)
    return label


def score_folders(masks: MaskFolders) -> Areas:
    """Intersection, predicted and labelled area of each class: files paired, read, checked and counted."""
    from densevl.data.label_maps import LabelRule
    from densevl.metrics import MeanIoU
    from densevl.tasks.score_masks import pair_masks, score_masks

    pairs, _ = pair_masks(masks.predictions, masks.annotations)
    metric = MeanIoU(_CLASSES, ignore_index=_IGNORED)
    score_masks(pairs, metric, LabelRule(_CLASSES))
    confusion = metric.confusion
    return confusion.diagonal(), confusion.sum(axis=0), confusion.sum(axis=1)


def score_plainly(masks: MaskFolders) -> Areas:
    """The same areas the usual way: read, widen, leave out, one histogram each; nothing is checked."""
    from PIL import Image

    pred, label = (np.array(Image.open(path / "picture.png")) for path in (masks.predictions, masks.annotations))
    return plain_areas((pred, label))


def compare_folders(masks: MaskFolders, ours: Areas, reference: Areas) -> tuple[bool, float]:
    """Equal counts."""
    return compare_areas((np.empty(0), np.empty(0)), ours, reference)
