"""Backbones: views on published models. Each normalises for itself and speaks tokens or features."""

from densevl.backbones.clip import CLIPBackbone
from densevl.backbones.clip_weights import load_clip
from densevl.backbones.lite import LiteModel, load_lite

__all__ = ["CLIPBackbone", "LiteModel", "load_clip", "load_lite"]
