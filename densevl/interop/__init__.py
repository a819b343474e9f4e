"""At home in mmsegmentation: our models in its configs, its data sets in ours. Imported when they are first used."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

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


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'densevl.interop' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted(__all__)
