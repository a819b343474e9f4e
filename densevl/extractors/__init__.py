"""Extractors: pixels -> FeatureMap."""

from densevl.extractors.lite import LiteExtractor
from densevl.extractors.maskclip import MaskCLIPExtractor

__all__ = ["LiteExtractor", "MaskCLIPExtractor"]
