"""Extractors: pixels -> FeatureMap."""

from densevl.extractors.guided import GuidedExtractor
from densevl.extractors.lite import LiteExtractor
from densevl.extractors.maskclip import MaskCLIPExtractor
from densevl.extractors.self_attention import ProxyCLIPExtractor, SelfAttentionExtractor
from densevl.extractors.trident import TridentExtractor, TridentGuidance

__all__ = [
    "GuidedExtractor",
    "LiteExtractor",
    "MaskCLIPExtractor",
    "ProxyCLIPExtractor",
    "SelfAttentionExtractor",
    "TridentExtractor",
    "TridentGuidance",
]
