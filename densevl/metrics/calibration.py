"""Calibration: whether labels are right as often as their confidence says."""

from __future__ import annotations

from typing import Any

import numpy as np

from densevl.core.errors import DataError, ShapeError, UsageError
from densevl.metrics.counted import Counted
from densevl.metrics.maps import check_maps

STEPS_BITS = 24  # confidences are counted in steps of 2^-24, as fine as float32 is below 1
_ROUNDING = 1e-3  # what a probability may lie outside of 0..1: interpolation, half precision


class CalibrationError(Counted):
    """Expected calibration error over pixels; `update` per picture, `compute` at the end, `merge` over shards.

    Pixels are put into equal bins (0, 1/B], ... (1 - 1/B, 1] by their confidence, 0 into the first. The error is the
    mean over pixels of the distance between a bin's mean confidence and its share of right labels.

    Ignored pixels are left out. So are pixels without a prediction: where no class was sure enough, none is claimed,
    and there is nothing to be right or wrong about; how many there are is in the confusion matrix of `MeanIoU`.

    Confidences are rounded to whole steps of 2^-24 and summed as integers: the same figures in any order of pictures.

    Source: Guo et al., "On Calibration of Modern Neural Networks", ICML 2017, equation 3; there with 15 bins.

    Args:
        num_bins: B.
        ignore_index: label of pixels that are left out, and prediction where there is none.

    Raises:
        UsageError: no bin.
    """

    def __init__(self, num_bins: int = 15, ignore_index: int = 255) -> None:
        if num_bins < 1:
            raise UsageError(f"expected at least one bin, such as 15, got {num_bins}")
        self.num_bins = num_bins
        self.ignore_index = ignore_index
        super().__init__(np.zeros((num_bins, 3), dtype=np.int64), num_bins=num_bins)  # pixels, right ones, steps

    def update(self, confidence: np.ndarray, pred: np.ndarray, label: np.ndarray) -> None:
        """Add one picture.

        Args:
            confidence: [H, W] float in 0..1, the probability of `pred`.
            pred: [H, W] integer class ids, or `ignore_index`.
            label: [H, W] integer class ids, or `ignore_index`.

        Raises:
            ShapeError: the maps differ in size or are of another kind.
            DataError: a confidence that is no probability.
        """
        pred, label = check_maps(pred, label)
        confidence = np.asarray(confidence)
        if confidence.shape != label.shape or confidence.dtype.kind != "f":
            came = f"{confidence.dtype} {confidence.shape}"
            raise ShapeError(f"expected a confidence map of floats, {label.shape} as the labels, got {came}")
        if not label.size:
            return
        confidence = np.ascontiguousarray(confidence, dtype=np.float32)
        low, high = float(confidence.min()), float(confidence.max())
        if not (low >= -_ROUNDING and high <= 1 + _ROUNDING):  # NaN too
            raise DataError(f"expected confidences in 0..1, got {low:.4g}..{high:.4g}; scores are no probabilities")
        self._counts += _count_bins()(confidence, pred, label, self.num_bins, self.ignore_index)

    def compute(self) -> dict[str, Any]:
        """The figures so far.

        Returns:
            ECE in per cent, NaN without any pixel; ECE_bins, the reliability table from low to high confidence: [B]
            `pixels` (integers), `confidence` and `accuracy` (mean fractions, NaN where there is no pixel).
        """
        pixels, hits, steps = self._counts.T
        with np.errstate(invalid="ignore", divide="ignore"):
            accuracy, confidence = hits / pixels, steps / pixels / 2**STEPS_BITS
        total = int(pixels.sum())
        error = np.abs(hits - steps / 2**STEPS_BITS).sum() / total if total else np.nan
        bins = {"pixels": pixels.copy(), "confidence": confidence, "accuracy": accuracy}
        return {"ECE": float(100 * error), "ECE_bins": bins}


def _count_bins() -> Any:
    """The compiled counter, or the plain one where numba is absent."""
    try:
        from densevl.metrics.calibration_kernels import count_bins
    except ImportError:
        return _count_bins_plain
    return count_bins


def _count_bins_plain(
    confidence: np.ndarray, pred: np.ndarray, label: np.ndarray, num_bins: int, ignore_index: int
) -> np.ndarray:
    """As `calibration_kernels.count_bins`, with numpy."""
    scored = (label != ignore_index) & (pred != ignore_index)
    hits = (pred == label)[scored]
    shares = np.clip(confidence[scored].astype(np.float64), 0, 1)
    steps = (shares * (1 << STEPS_BITS) + 0.5).astype(np.int64)
    bins = np.maximum(steps * num_bins - 1, 0) >> STEPS_BITS
    sums = [np.bincount(bins, weights, minlength=num_bins) for weights in (None, hits, steps)]  # below 2^53: exact
    return np.stack(sums, axis=1).astype(np.int64)
