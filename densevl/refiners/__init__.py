"""Refiners: features or scores made smoother or sharper, on the same grid."""

from densevl.refiners.affinity_pool import AffinityPoolRefiner

__all__ = ["AffinityPoolRefiner"]
