"""Figures over data sets: counts per item, figures at the end."""

from __future__ import annotations

from densevl.metrics.boundary import BoundaryIoU
from densevl.metrics.calibration import CalibrationError
from densevl.metrics.classification import ClassificationReport, rank_of_label
from densevl.metrics.segmentation import MeanIoU, reduce_zero_label

__all__ = ["BoundaryIoU", "CalibrationError", "ClassificationReport", "MeanIoU", "rank_of_label", "reduce_zero_label"]
