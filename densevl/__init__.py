"""Dense prediction and video on vision foundation models.

`import densevl` loads neither torch nor mmengine: the names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from densevl.core.lazy import lazy_exports

__version__ = "0.1.0"

_HOMES = {
    "load": "densevl.tasks.load",
    "Segmentation": "densevl.core.structures",
    "FeatureMap": "densevl.core.structures",
    "TextBank": "densevl.core.structures",
    "DensevlError": "densevl.core.errors",
}
_ROOMS = (
    "backbones",
    "extractors",
    "heads",
    "metrics",
    "ops",
    "refiners",
    "tasks",
    "text",
    "visualize",
    "vocab",
    "weights",
)

__all__ = ["DensevlError", "FeatureMap", "Segmentation", "TextBank", "__version__", "load"]

if TYPE_CHECKING:
    from densevl.core.errors import DensevlError
    from densevl.core.structures import FeatureMap, Segmentation, TextBank
    from densevl.tasks.load import load

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, _ROOMS)
