"""Boundary IoU: the intersection over union of what lies near the boundaries, as integers over a data set."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from densevl.core.errors import UsageError
from densevl.metrics.counted import Counted
from densevl.metrics.maps import check_classes, check_maps, stray_label


class BoundaryIoU(Counted):
    """Boundary regions of label maps against those of annotations; `update` per picture, `merge` over shards.

    The boundary region of a class is what the erosion of its mask by d pixels takes away: its pixels within d rows and
    columns of a pixel that is not of the class. Beyond the picture nothing is of the class, as published.

    Ignored pixels are taken out of both maps before the boundaries are drawn, as if the picture ended there: an edge
    against them is a boundary in the label and, of the same pixels, in the prediction. So a prediction that is right
    wherever it is scored has 100 per cent, whatever it says where nobody knows, which neither a boundary of the label
    alone nor one of the prediction within the ignored pixels would allow.

    Source: Cheng et al., "Boundary IoU: Improving Object-Centric Image Segmentation Evaluation", CVPR 2021, section 4,
    and its code for the rounding of d and for the border.
    """

    def __init__(self, num_classes: int, ignore_index: int = 255, dilation_ratio: float = 0.02) -> None:
        """Start at zero.

        Args:
            num_classes: K.
            ignore_index: label of pixels that are left out; above 255 classes give 65535.
            dilation_ratio: d as a part of the picture's diagonal; d is rounded, and at least one pixel.

        Raises:
            UsageError: no class, an ignored id that is a class, or a ratio that is not above 0 and at most 1.
        """
        check_classes(num_classes, ignore_index)
        if not 0 < dilation_ratio <= 1:
            raise UsageError(f"expected a dilation_ratio above 0 and at most 1, such as 0.02, got {dilation_ratio}")
        self.num_classes = num_classes
        self.ignore_index = ignore_index
        self.dilation_ratio = dilation_ratio
        table = np.zeros((num_classes, 2), dtype=np.int64)  # intersection, union
        super().__init__(table, num_classes=num_classes, dilation_ratio=dilation_ratio)

    def update(self, pred: np.ndarray, label: np.ndarray) -> None:
        """Add one picture.

        Args:
            pred: [H, W] integer class ids; any id outside 0..K-1, such as "no label", is no class and has no boundary
                of its own.
            label: [H, W] integer class ids.

        Raises:
            ShapeError: the maps differ in size or hold no integers.
            DataError: a label outside 0..K-1 that is not ignored.
        """
        pred, label = check_maps(pred, label)
        distance = max(1, round(self.dilation_ratio * math.hypot(*label.shape)))
        counts, stray = _count_boundaries()(pred, label, self.num_classes, self.ignore_index, distance)
        if stray >= 0:
            raise stray_label(int(label.ravel()[stray]), self.num_classes, self.ignore_index)
        self._counts += counts

    def compute(self) -> dict[str, Any]:
        """The figures so far.

        Returns:
            boundary_mIoU, the mean over classes in per cent; boundary_IoU, [K] fractions, NaN for a class in neither
            map. NaN is left out of the mean.
        """
        intersection, union = self._counts.T
        with np.errstate(invalid="ignore", divide="ignore"):
            iou = intersection / union
        known = iou[union > 0]
        return {"boundary_mIoU": float(100 * known.mean()) if known.size else float("nan"), "boundary_IoU": iou}


def _count_boundaries() -> Any:
    """The compiled counter, or the plain one where numba is absent."""
    try:
        from densevl.metrics.boundary_kernels import count_boundaries
    except ImportError:
        return _count_boundaries_plain
    return count_boundaries


def _count_boundaries_plain(
    pred: np.ndarray, label: np.ndarray, classes: int, ignore_index: int, distance: int
) -> tuple[np.ndarray, int]:
    """As `boundary_kernels.count_boundaries`, with numpy and OpenCV."""
    ignored = label == ignore_index
    strays = ~ignored & ((label < 0) | (label >= classes))
    if strays.any():
        return np.zeros((classes, 2), dtype=np.int64), int(strays.argmax())
    true = np.where(ignored, classes, label.astype(np.int64))
    guess = np.where(ignored | (pred < 0) | (pred >= classes), classes, pred.astype(np.int64))
    on_true, on_guess = (_in_boundary(codes, distance) & (codes < classes) for codes in (true, guess))
    both = on_true & on_guess & (true == guess)
    hits, areas, guessed = (
        np.bincount(codes[chosen], minlength=classes)
        for codes, chosen in ((true, both), (true, on_true), (guess, on_guess))
    )
    return np.stack([hits, areas + guessed - hits], axis=1), -1


def _in_boundary(codes: np.ndarray, distance: int) -> np.ndarray:
    """[H, W] bool: the window within d rows and columns is not of one label, or leaves the picture."""
    import cv2

    inner = np.zeros(codes.shape, dtype=bool)
    height, width = codes.shape
    if min(height, width) > 2 * distance:
        window = np.ones((2 * distance + 1, 2 * distance + 1), dtype=np.uint8)
        exact = codes.astype(np.float32)  # OpenCV filters no int32; whole numbers to 2^24 stay themselves
        inside = slice(distance, height - distance), slice(distance, width - distance)
        inner[inside] = (cv2.erode(exact, window) == cv2.dilate(exact, window))[inside]
    return ~inner
