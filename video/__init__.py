"""Action recognition in videos on densevl's models.

`import video` loads no torch: the rooms and names below are imported when they are first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "ClipList": "video.lists",
    "ClipReader": "video.clips",
    "VideoClassifier": "video.classifier",
    "load": "video.loading",
    "read_clip_list": "video.lists",
    "sample_frames": "video.sampling",
}
_ROOMS = ("boxes", "clips", "colours", "lists", "mixing", "models", "sampling", "transforms", "views")

__all__ = ["ClipList", "ClipReader", "VideoClassifier", "load", "read_clip_list", "sample_frames"]

if TYPE_CHECKING:
    from video.classifier import VideoClassifier
    from video.clips import ClipReader
    from video.lists import ClipList, read_clip_list
    from video.loading import load
    from video.sampling import sample_frames


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    if name in _ROOMS:
        return importlib.import_module(f"video.{name}")
    raise AttributeError(f"module 'video' has no attribute '{name}'")


def __dir__() -> list[str]:
    return sorted([*__all__, *_ROOMS])
