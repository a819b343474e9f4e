"""What a model sees of a clip: which frames, at which size, cut where. Bytes; floats are made on the device."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from densevl.data.frame_reader import FrameReader
from video.boxes import crop_boxes
from video.sampling import sample_frames
from video.transforms import crop_views, resize_short_side, room_to_crop


@dataclass(frozen=True)
class ClipViews:
    """T frames a view, V views in time and C crops in space, the same for the same clip every time.

    One crop is cut from frames with room around it (256 for 224), several from frames whose shorter side has the size
    of the crop.

    Attributes:
        size: rows and columns that the model takes.
        num_frames: T.
        rule: `segment`, `twice`, `uniform`, `dense` or `slide`; see `video.sample_frames`.
        stride: frames from one frame of a view to the next; for `dense` and `slide` only.
        views: V.
        crops: `centre`, `three`, `spread3` or `spread4`; see `video.boxes.crop_boxes`.
    """

    size: int = 224
    num_frames: int = 8
    rule: str = "segment"
    stride: int = 1
    views: int = 1
    crops: str = "centre"

    def frame_numbers(self, total_frames: int) -> np.ndarray:
        """[V, T] int64 of a clip of so many frames."""
        return sample_frames(
            total_frames, num_frames=self.num_frames, rule=self.rule, stride=self.stride, views=self.views
        )

    def cut(self, frame: np.ndarray) -> np.ndarray:
        """One frame [H, W, 3] uint8 RGB -> [C, size, size, 3] uint8."""
        side = room_to_crop(self.size) if self.crops == "centre" else self.size
        resized = resize_short_side(frame[None, None], side)  # [1, 1, h, w, 3]
        boxes = crop_boxes(*resized.shape[2:4], size=self.size, crops=self.crops)
        return crop_views(resized, boxes)[:, 0]  # [C, size, size, 3]

    def read(self, reader: FrameReader) -> np.ndarray:
        """The views of a whole clip: [C * V, T, size, size, 3] uint8; view = crop * V + clip.

        A clip that is cut off is read up to there. One full frame is in memory at a time.

        Raises:
            ClipError: it cannot be decoded up to a frame that is wanted.
        """
        whole = reader.count_whole() if reader.scan.cut else len(reader)
        numbers = self.frame_numbers(whole or len(reader))  # [V, T]; reading says what is wrong with the first
        cuts = dict(self.cuts(reader, np.unique(numbers).tolist()))
        return self.stack(cuts, numbers)

    def cuts(self, reader: FrameReader, numbers: Sequence[int]) -> Iterator[tuple[int, np.ndarray]]:
        """Ascending frame numbers -> each with its crops [C, size, size, 3], in one pass."""
        for number in numbers:
            yield number, self.cut(reader.read([number])[0])

    def stack(self, cuts: dict[int, np.ndarray], numbers: np.ndarray) -> np.ndarray:
        """Crops by frame number, and numbers [V, T] -> [C * V, T, size, size, 3]."""
        views = np.stack([np.stack([cuts[number] for number in row], axis=1) for row in numbers.tolist()], axis=1)
        return views.reshape(-1, *views.shape[2:])  # [C, V, T, ...] -> [C * V, T, ...]
