"""What passes through the doors: frozen results whose shapes are checked when they are made.

Axis letters: B batch, D width, G guide channels, Q queries, K classes, H W pixels, h w patches, W windows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from densevl.core.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from torch import Tensor

WIDEST_8_BIT = 255  # classes: ids 0..254, and 255 for "no label"


def no_label_id(num_classes: int) -> int:
    """The id of a pixel without a class: 255, or 65535 above 255 classes."""
    return 255 if num_classes <= WIDEST_8_BIT else 65535


def _check(condition: bool, expected: str, came: object) -> None:
    if not condition:
        raise ShapeError(f"expected {expected}, got {came}")


@dataclass(frozen=True)
class BatchPart:
    """What one backward pass sees of a batch.

    Attributes:
        items: a tensor [b, ...], or a mapping of such tensors.
        share: b over all items of the batch, those of other parts and processes too.
        last: whether the weights are moved after it.
    """

    items: Any
    share: float = 1.0
    last: bool = True


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Dense image features.

    Attributes:
        features: [B, D, h, w], not normalised.
        guide: [B, G, h, w] or None: what a refiner compares patches with, on the same grid.
        objectness: [B, 1, h, w] logits or None: how likely a patch belongs to an object, on the same grid.
        guide_block: where the guide was tapped: a block counted from the end, "final", or None: not said.
    """

    features: Tensor
    guide: Tensor | None = None
    objectness: Tensor | None = None
    guide_block: int | str | None = None

    def __post_init__(self) -> None:
        """Check that features, guide and objectness are maps on one grid."""
        _check(self.features.ndim == 4, "features [B, D, h, w]", tuple(self.features.shape))
        batch, _, height, width = self.features.shape
        for name, beside, channels in (("guide", self.guide, None), ("objectness", self.objectness, 1)):
            if beside is not None:
                expected = (batch, channels or (beside.shape[1] if beside.ndim == 4 else None), height, width)
                came = tuple(beside.shape)
                _check(came == expected, f"{name} {[batch, channels or 'G', height, width]}", came)

    def with_features(self, features: Tensor) -> FeatureMap:
        """The same map with other features (and the same guide)."""
        return replace(self, features=features)


@dataclass(frozen=True, eq=False)
class TextBank:
    """Text vectors of a class list.

    Attributes:
        vectors: [Q, D], unit length; a class has one row per synonym.
        class_index: [Q] long, the class of each row; every class 0..K-1 occurs.
        class_names: K names, as shown to the user.
    """

    vectors: Tensor
    class_index: Tensor
    class_names: tuple[str, ...]

    def __post_init__(self) -> None:
        """Check that every class has at least one row."""
        _check(self.vectors.ndim == 2, "vectors [Q, D]", tuple(self.vectors.shape))
        queries = self.vectors.shape[0]
        _check(tuple(self.class_index.shape) == (queries,), f"class_index [{queries}]", tuple(self.class_index.shape))
        if self.class_index.device.type != "meta":
            found = set(self.class_index.tolist())
            _check(found == set(range(len(self.class_names))), f"ids 0..{len(self.class_names) - 1}", sorted(found))

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return len(self.class_names)

    def to(self, device: Any) -> TextBank:
        """The same bank on another device."""
        return replace(self, vectors=self.vectors.to(device), class_index=self.class_index.to(device))


@dataclass(frozen=True, eq=False)
class ScoreMap:
    """Scores of one picture at feature resolution; the full [K, H, W] tensor is never built.

    Attributes:
        scores: [W, K, h, w] of classes, or [W, Q, h, w] of their queries, one map a window.
        canvas: (H', W'), size of the resized picture.
        extent: (height, width) in pixels of the resized picture that a grid [h, w] spans; more than the window
            where the extractor padded.
        boxes: [W, 4] long, x0 y0 x1 y1 of each window on the canvas. None: one map over the whole picture, which
            is interpolated in one step to the size asked for; windows are averaged on the canvas first.
        logits: the scores are no probabilities yet: a softmax over all rows follows where they have been averaged and
            interpolated.
        class_index: [Q] long, the class of each row of queries. A class is as probable as its best query. None: row k
            is class k.
        muted: [K or Q] bool, rows that count in the softmax and win no pixel. None: all can win.
    """

    scores: Tensor
    canvas: tuple[int, int]
    extent: tuple[float, float]
    boxes: Tensor | None = None
    logits: bool = False
    class_index: Tensor | None = None
    muted: Tensor | None = None

    def __post_init__(self) -> None:
        """Check that there is one box a window, or one window without boxes, and what is said of each row."""
        _check(self.scores.ndim == 4, "scores [W, K, h, w]", tuple(self.scores.shape))
        windows, rows = self.scores.shape[:2]
        for name, by_row in (("class_index", self.class_index), ("muted", self.muted)):
            if by_row is not None:
                _check(tuple(by_row.shape) == (rows,), f"{name} [{rows}]", tuple(by_row.shape))
        if self.boxes is None:
            _check(windows == 1, "one window where there are no boxes", f"{windows} windows")
        else:
            _check(tuple(self.boxes.shape) == (windows, 4), f"boxes [{windows}, 4]", tuple(self.boxes.shape))

    @property
    def num_classes(self) -> int:
        """K, the number of classes."""
        return self.scores.shape[1] if self.class_index is None else int(self.class_index.max()) + 1


@dataclass(frozen=True, eq=False)
class Segmentation:
    """A labelled picture.

    Attributes:
        label_map: [H, W] uint8 (uint16 above 255 classes); `no_label_id` where no class was sure enough.
        confidence: [H, W] float32 in [0, 1], the winning probability.
        doubt_map: [H', W'] float32 in [0, 1] at the size the model saw, 1 - (p1 - p2) of each patch, interpolated.
        class_names: K names; a label is an index into them.
        score_map: the scores behind the labels, where they were asked for.
        source: where the picture came from.
    """

    label_map: np.ndarray
    confidence: np.ndarray
    doubt_map: np.ndarray
    class_names: tuple[str, ...]
    score_map: ScoreMap | None = None
    source: Path | None = None

    def __post_init__(self) -> None:
        """Check kinds and sizes."""
        kind = np.uint8 if len(self.class_names) <= WIDEST_8_BIT else np.uint16
        label_map = self.label_map
        came = f"{label_map.dtype} {label_map.shape}"
        _check(label_map.ndim == 2 and label_map.dtype == kind, f"label_map [H, W] {kind.__name__}", came)
        _check(self.confidence.shape == label_map.shape, f"confidence {label_map.shape}", self.confidence.shape)
        _check(self.doubt_map.ndim == 2, "doubt_map [h, w]", self.doubt_map.shape)

    def __repr__(self) -> str:
        """Size, doubt and the largest classes, as a person reads them."""
        height, width = self.label_map.shape
        areas = sorted(self.areas.items(), key=lambda item: -item[1])[:5]
        shares = ", ".join(f"{name} {share:.0%}" for name, share in areas if share > 0)
        return f"Segmentation({width}x{height}, doubt {self.mean_doubt:.2f}: {shares or 'no label'})"

    @property
    def labels(self) -> np.ndarray:
        """[H, W] int64 class ids; pixels without a class hold `no_label_id`."""
        return self.label_map.astype(np.int64)

    @property
    def doubt(self) -> np.ndarray:
        """[H, W] float32, `doubt_map` at picture size (bilinear)."""
        import cv2

        height, width = self.label_map.shape
        return cv2.resize(self.doubt_map, (width, height), interpolation=cv2.INTER_LINEAR)

    @property
    def mean_doubt(self) -> float:
        """Doubt of the whole picture: the mean over its area."""
        return float(self.doubt_map.mean(dtype=np.float64))

    @property
    def pixel_counts(self) -> np.ndarray:
        """[K + 1] int64: pixels of each class, and last those without a label."""
        counts = np.bincount(self.label_map.ravel(), minlength=no_label_id(len(self.class_names)) + 1)
        return np.append(counts[: len(self.class_names)], counts[-1])

    @property
    def areas(self) -> Mapping[str, float]:
        """Share of the picture, 0..1, by class name."""
        counts = self.pixel_counts
        return {name: int(counts[k]) / self.label_map.size for k, name in enumerate(self.class_names)}

    def save(self, path: str | Path, picture: np.ndarray | None = None) -> Path:
        """Write the label map (`.png`), or an overlay with legend (`.jpg`; needs `picture` or a source on disk)."""
        from densevl.visualize import save_segmentation

        drawn = Path(path).suffix.lower() in (".jpg", ".jpeg")
        return save_segmentation(self, Path(path), self.plot(picture) if drawn else None)

    def plot(self, picture: np.ndarray | None = None) -> np.ndarray:
        """[H', W', 3] uint8 RGB: the overlay with its legend, ready to show."""
        from densevl.visualize import draw_overlay

        picture = self._read_source() if picture is None else picture
        return draw_overlay(picture, self.label_map, self.class_names)

    def _read_source(self) -> np.ndarray:
        from densevl.data import read_picture

        if self.source is None:
            raise UsageError("this result came from an array: hand the picture in, such as .plot(picture)")
        picture = read_picture(self.source)
        if picture.shape[:2] != self.label_map.shape:
            raise UsageError(f"{self.source} has changed since it was labelled: hand the picture in, .plot(picture)")
        return picture
