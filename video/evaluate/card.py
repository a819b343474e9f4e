"""The protocol card: everything beside the clips' bytes that decides a figure, so that two figures can be compared."""

from __future__ import annotations

from typing import Any

from densevl.core.files import sha256_bytes
from video.lists import ClipList
from video.views import ClipViews


def describe_clips(clips: ClipList) -> dict[str, Any]:
    """The list and its classes, with hashes that do not depend on where the clips lie."""
    return {
        "list": {"sha256": clips.digest(), "clips": len(clips)},
        "classes": {
            "count": clips.num_classes,
            "sha256": sha256_bytes("\n".join(clips.class_names).encode()),
            "without_clips": clips.num_classes - len(set(clips.labels)),
        },
    }


def describe_views(views: ClipViews) -> dict[str, Any]:
    """Which frames, how they are resized and cut, and how views become one answer."""
    from video.transforms import room_to_crop

    side = room_to_crop(views.size) if views.crops == "centre" else views.size
    return {
        "sampling": {"rule": views.rule, "frames": views.num_frames, "stride": views.stride, "clips": views.views},
        "crops": views.crops,
        "resize": f"short side {side}, bilinear; crop {views.size}",
        "combination": "softmax of each view, mean over views",
    }
