"""A recogniser of plain colours, and clips of plain colours: what is seen when is known."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import av
import numpy as np
import torch
from torch import Tensor, nn

from densevl.core.structures import TextBank
from densevl.heads import CosineHead
from video.classifier import VideoClassifier
from video.views import ClipViews

COLOURS = {"red": (220, 20, 20), "green": (20, 220, 20), "blue": (20, 20, 220), "grey": (120, 120, 120)}
SIDE = 32


class ColourRecogniser(nn.Module):
    """The mean colour of a clip against the colours of the words; counts the clips and frames it saw."""

    def __init__(self, scale: float = 20.0, *, averages_frames: bool = False) -> None:
        super().__init__()
        self.averages_frames = averages_frames
        self.scale = nn.Parameter(torch.tensor(scale))
        self.clips = self.frames = 0

    def video_features(self, video: Tensor) -> Tensor:
        self.clips += video.shape[0]
        self.frames += video.shape[0] * video.shape[1]
        return video.mean(dim=(1, 3, 4))  # [B, 3]

    def frame_features(self, video: Tensor) -> Tensor:
        self.frames += video.shape[0] * video.shape[1]
        return video.mean(dim=(3, 4))  # [B, T, 3]

    def text_features(self, class_names: Sequence[str]) -> Tensor:
        return torch.tensor([COLOURS[name] for name in class_names], dtype=torch.float32)

    def logits(self, video_features: Tensor, bank: TextBank) -> Tensor:
        return self.scale * CosineHead(1.0, softmax=False)(video_features, bank)


def colour_classifier(*, averages_frames: bool = False, **views: object) -> VideoClassifier:
    return VideoClassifier(
        ColourRecogniser(averages_frames=averages_frames), ClipViews(**{"size": SIDE, "num_frames": 4, **views})
    )


def colour_frames(parts: Sequence[tuple[str, int]], size: tuple[int, int] = (48, 64)) -> np.ndarray:
    """[T, H, W, 3] uint8: so many frames of each colour."""
    return np.concatenate([np.full((count, *size, 3), COLOURS[name], dtype=np.uint8) for name, count in parts])


def colour_clip(path: Path, parts: Sequence[tuple[str, int]], rate: int = 10) -> Path:
    """A clip of so many frames of each colour."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=rate, options={"preset": "ultrafast", "g": "10"})
        stream.height, stream.width, stream.pix_fmt = 48, 64, "yuv420p"
        for picture in colour_frames(parts):
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path
