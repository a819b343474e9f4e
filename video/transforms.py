"""From decoded frames to the views a model takes: uint8 until the last step, one crop and one flip for all frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from densevl.core.errors import ShapeError, UnknownNameError
from densevl.data.transforms import fit_size, resize_picture
from video.boxes import Box, crop_boxes, multi_scale_box
from video.colours import erase_box, jitter_colours, to_gray
from video.draws import Draws

if TYPE_CHECKING:
    from torch import Tensor


def _times_255(*values: float) -> tuple[float, ...]:
    return tuple(255 * value for value in values)


# Mean and deviation of R, G, B on pixels from 0 to 255. Source: ImageNet as in torchvision, CLIP as in its release.
NORMALIZATIONS = {
    "imagenet": ((123.675, 116.28, 103.53), (58.395, 57.12, 57.375)),
    "clip": (_times_255(0.48145466, 0.4578275, 0.40821073), _times_255(0.26862954, 0.26130258, 0.27577711)),
}
ROOM_TO_CROP = 256 / 224  # short side before a crop, as a multiple of the crop
_NO_LIMIT = 1 << 30


def room_to_crop(size: int) -> int:
    """Short side in pixels that leaves the papers' room around a crop of `size` pixels: 256 for 224, 384 for 336."""
    return int(ROOM_TO_CROP * size)


def resize_frames(frames: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resize every frame by plain bilinear interpolation (OpenCV's INTER_LINEAR).

    Args:
        frames: [..., H, W, 3] uint8 RGB.
        size: (h, w) in pixels.

    Returns:
        [..., h, w, 3] uint8; the frames themselves where they have that size.

    Raises:
        ShapeError: they are no uint8 RGB frames.
    """
    _check_frames(frames)
    if frames.shape[-3:-1] == tuple(size):
        return frames
    flat = frames.reshape(-1, *frames.shape[-3:])  # [n, H, W, 3]
    return np.stack([resize_picture(frame, size) for frame in flat]).reshape(*frames.shape[:-3], *size, 3)


def resize_short_side(frames: np.ndarray, side: int) -> np.ndarray:
    """Resize every frame to a shorter side of `side` pixels; the longer one, to scale, is rounded half up.

    Args:
        frames: [..., H, W, 3] uint8 RGB.
        side: pixels.

    Returns:
        [..., h, w, 3] uint8.

    Raises:
        ShapeError: they are no uint8 RGB frames.
    """
    _check_frames(frames)
    height, width = frames.shape[-3:-1]
    return resize_frames(frames, fit_size(height, width, short_side=side, longest_side=_NO_LIMIT))


def crop_views(frames: np.ndarray, boxes: Sequence[Box]) -> np.ndarray:
    """Cut every box out of every clip; all clips of the first box come first.

    Args:
        frames: [V, T, H, W, 3].
        boxes: of one size, within the frame.

    Returns:
        [len(boxes) * V, T, h, w, 3]; view = box * V + clip.

    Raises:
        ShapeError: a box reaches beyond the frame, or the boxes have different sizes.
    """
    height, width = frames.shape[-3:-1]
    for box in boxes:
        inside = min(box.top, box.left) >= 0 and box.top + box.height <= height and box.left + box.width <= width
        if not inside or box[2:] != boxes[0][2:]:
            raise ShapeError(f"expected boxes of one size within {height}x{width}, got {list(boxes)}")
    return np.concatenate([frames[..., t : t + h, left : left + w, :] for t, left, h, w in boxes])


def to_channels_first(frames: np.ndarray) -> Tensor:
    """[..., H, W, 3] -> a tensor [..., 3, H, W] of the same kind, which owns its memory."""
    import torch

    return torch.from_numpy(np.ascontiguousarray(np.moveaxis(frames, -1, -3)))


def mean_and_deviation(name: str | None) -> tuple[list[float], list[float]]:
    """A published normalisation of pixels in [0, 1], of R, G, B; None: that which changes nothing.

    Raises:
        UnknownNameError: there is no such normalisation.
    """
    if name is None:
        return [0.0] * 3, [1.0] * 3
    mean, deviation = _of_levels(name)
    return [value / 255 for value in mean], [value / 255 for value in deviation]


def normalize(video: Tensor, name: str) -> Tensor:
    """Subtract a published mean and divide by its deviation, on any device.

    Args:
        video: [..., 3, H, W] uint8 RGB, or float from 0 to 255.
        name: `imagenet` (ViFi-CLIP, ILA) or `clip` (M2-CLIP).

    Returns:
        [..., 3, H, W] float32.

    Raises:
        UnknownNameError: there is no such normalisation.
    """
    import torch

    mean, deviation = (torch.tensor(values, device=video.device)[:, None, None] for values in _of_levels(name))
    return (video.float() - mean) / deviation


def _of_levels(name: str) -> tuple[Sequence[float], Sequence[float]]:
    """Mean and deviation of pixels from 0 to 255."""
    if name not in NORMALIZATIONS:
        raise UnknownNameError("normalisation", name, NORMALIZATIONS)
    return NORMALIZATIONS[name]


@dataclass(frozen=True)
class EvaluationViews:
    """Decoded clips -> the views of evaluation.

    One crop a clip is cut from frames with room around it (256 for 224), several crops from frames whose shorter side
    has the size of the crop.

    Attributes:
        size: rows and columns that the model takes.
        crops: `centre`, `three`, `spread3` or `spread4`; see `video.boxes.crop_boxes`.
        normalization: `imagenet` or `clip`.
    """

    size: int
    crops: str = "centre"
    normalization: str = "imagenet"

    def __call__(self, frames: np.ndarray) -> Tensor:
        """[V, T, H, W, 3] uint8 -> [crops * V, T, 3, size, size] float32; view = crop * V + clip."""
        side = room_to_crop(self.size) if self.crops == "centre" else self.size
        resized = resize_short_side(frames, side)  # [V, T, h, w, 3]
        boxes = crop_boxes(*resized.shape[-3:-1], size=self.size, crops=self.crops)
        return normalize(to_channels_first(crop_views(resized, boxes)), self.normalization)


@dataclass(frozen=True)
class TrainingView:
    """A decoded clip -> the view of training, drawn by the generator handed in.

    Attributes:
        size: rows and columns that the model takes.
        normalization: `imagenet` or `clip`; None: pixels in [0, 1], for models that normalise by themselves.
        flip: probability to mirror the clip.
        jitter: probability to change the colours, drawn anew for every frame.
        gray: probability to take the colours away.
        erase: probability to blank a box, the same in all frames.
    """

    size: int
    normalization: str | None = "imagenet"
    flip: float = 0.5
    jitter: float = 0.8
    gray: float = 0.2
    erase: float = 0.0

    def __call__(self, frames: np.ndarray, rng: Draws) -> Tensor:
        """[T, H, W, 3] uint8 -> [T, 3, size, size] float32."""
        frames = resize_short_side(frames, room_to_crop(self.size))
        box = multi_scale_box(*frames.shape[-3:-1], size=self.size, rng=rng)
        frames = resize_frames(crop_views(frames[None], [box])[0], (self.size, self.size))
        if rng.random() < self.flip:
            frames = np.ascontiguousarray(frames[:, :, ::-1])
        if rng.random() < self.jitter:
            frames = jitter_colours(frames, rng=rng)
        if rng.random() < self.gray:
            frames = to_gray(frames)
        pixels = to_channels_first(frames)  # [T, 3, R, R]
        video = pixels.float() / 255 if self.normalization is None else normalize(pixels, self.normalization)
        return erase_box(video, rng=rng) if rng.random() < self.erase else video


def _check_frames(frames: np.ndarray) -> None:
    if frames.ndim < 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or frames.size == 0:
        raise ShapeError(f"expected frames [..., T, H, W, 3] uint8 RGB, got {frames.dtype} {list(frames.shape)}")
