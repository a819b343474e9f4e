"""The conductors: each owns the parts of one job and is the only one that calls them."""

from densevl.tasks.geometry import Geometry
from densevl.tasks.load import load
from densevl.tasks.segmenter import Segmenter

__all__ = ["Geometry", "Segmenter", "load"]
