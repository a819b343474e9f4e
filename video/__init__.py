"""Action recognition in videos on densevl's models.

`import video` loads no torch: the rooms and names below are imported when they are first used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from densevl.core.lazy import lazy_exports

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

__getattr__, __dir__ = lazy_exports(__name__, _HOMES, _ROOMS)
