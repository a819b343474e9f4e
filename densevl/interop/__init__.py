"""At home in mmsegmentation: our models in its configs, its data sets in ours. Imported when they are first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densevl.core.lazy import lazy_exports

_HOMES = {
    "DensevlSegmentor": "densevl.interop.mmseg",
    "MMSegSet": "densevl.interop.mmseg_set",
    "MissingOpError": "densevl.interop.mmcv_ext",
}

__all__ = ["DensevlSegmentor", "MMSegSet", "MissingOpError"]

if TYPE_CHECKING:
    from densevl.interop.mmcv_ext import MissingOpError
    from densevl.interop.mmseg import DensevlSegmentor
    from densevl.interop.mmseg_set import MMSegSet

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
