"""Backbones: views on published models. Each normalises for itself and speaks tokens or features."""

from densevl.backbones.clip import CLIPBackbone
from densevl.backbones.clip_weights import load_clip

__all__ = ["CLIPBackbone", "load_clip"]
