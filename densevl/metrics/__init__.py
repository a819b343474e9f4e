"""Figures over data sets: counts per picture, figures at the end."""

from __future__ import annotations

from densevl.metrics.segmentation import MeanIoU, reduce_zero_label

__all__ = ["MeanIoU", "reduce_zero_label"]
