"""Heads: features and words -> scores."""

from densevl.heads.cosine import CosineHead

__all__ = ["CosineHead"]
