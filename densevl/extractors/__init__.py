"""Extractors: pixels -> FeatureMap."""

from densevl.extractors.guided import GuidedExtractor
from densevl.extractors.lite import LiteExtractor
from densevl.extractors.maskclip import MaskCLIPExtractor

__all__ = ["GuidedExtractor", "LiteExtractor", "MaskCLIPExtractor"]
