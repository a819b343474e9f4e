"""Extractors: pixels -> FeatureMap."""

from densevl.extractors.maskclip import MaskCLIPExtractor

__all__ = ["MaskCLIPExtractor"]
