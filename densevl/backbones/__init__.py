"""Backbones: views on published models. Each normalises for itself and speaks tokens or features."""

from densevl.backbones.clip import CLIPBackbone
from densevl.backbones.clip_weights import load_clip
from densevl.backbones.dino import DINOBackbone
from densevl.backbones.dino_weights import load_dino
from densevl.backbones.lite import LiteModel, load_lite
from densevl.backbones.sam import SAMBackbone
from densevl.backbones.sam_weights import load_sam

__all__ = [
    "CLIPBackbone",
    "DINOBackbone",
    "LiteModel",
    "SAMBackbone",
    "load_clip",
    "load_dino",
    "load_lite",
    "load_sam",
]
