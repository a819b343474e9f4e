"""The protocol card: everything beside the clips' bytes that decides a figure, so that two figures can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from densevl.core.files import sha256_bytes
from densevl.weights import hash_module
from video.lists import ClipList
from video.views import ClipViews

if TYPE_CHECKING:
    from torch import nn

    from video.classifier import VideoClassifier


def describe_model(classifier: VideoClassifier) -> dict[str, Any]:
    """Name, hash of the tensors as loaded, config, normalisation, precision, device."""
    return {
        "model": classifier.name,
        "weights": hash_module(classifier),
        "config": classifier.config_text,
        "normalisation": _normalisation(classifier),
        "precision": str(classifier.dtype).removeprefix("torch."),
        "device": classifier.device.type,
    }


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


def _normalisation(module: nn.Module) -> Any:
    """Mean and deviation in [0, 1] where the model shows them."""
    buffers = dict(module.named_buffers())
    for name, mean in buffers.items():
        std = buffers.get(f"{name[: -len('mean')]}std")
        if name.rpartition(".")[2] == "mean" and std is not None:
            return {"mean": _rounded(mean), "std": _rounded(std)}
    return "the model's own"


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values.flatten().tolist()]
