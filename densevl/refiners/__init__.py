"""Refiners: features or scores made smoother or sharper, on the same grid."""

from densevl.refiners.affinity_pool import AffinityPoolRefiner
from densevl.refiners.background import FoundRule
from densevl.refiners.dinoiser import DINOiserRefiner, load_dinoiser
from densevl.refiners.found_teacher import FoundTeacher, load_found
from densevl.refiners.pamr import PAMRRefiner
from densevl.refiners.sam_masks import SAMMaskRefiner
from densevl.refiners.small_classes import SmallClassRefiner

__all__ = [
    "AffinityPoolRefiner",
    "DINOiserRefiner",
    "FoundRule",
    "FoundTeacher",
    "PAMRRefiner",
    "SAMMaskRefiner",
    "SmallClassRefiner",
    "load_dinoiser",
    "load_found",
]
