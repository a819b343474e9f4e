"""The door of every decoder: frames by number, whatever library decodes them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np

from densevl.core.errors import ClipError, ShapeError
from densevl.data.packet_scan import PacketScan


class FrameReader(ABC):
    """Frames of one clip; a context manager. For one thread at a time.

    Reading onwards goes on where the last reading ended; reading backwards starts anew.

    Args:
        path: the file.
        scan: what its packets say.

    Attributes:
        size: (H, W) of a frame, upright.
        fps: frames a second, the mean where they vary.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        self.path = path
        self.scan = scan
        self.size = scan.size
        self.fps = scan.fps

    def __len__(self) -> int:
        return len(self.scan.seconds)

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def seconds(self, index: int) -> float:
        """When a frame is shown, in seconds after the first."""
        return float(self.scan.seconds[index])

    def read(self, indices: Sequence[int]) -> np.ndarray:
        """Decode some frames; only these are converted to RGB, each once.

        Args:
            indices: numbers of frames from 0 on, in any order, also repeated.

        Returns:
            [n, H, W, 3] uint8 RGB, upright, in the order of `indices`.

        Raises:
            ShapeError: a number below 0, or not below the number of frames.
            ClipError: the clip cannot be decoded up to a frame.
        """
        wrong = [index for index in indices if not 0 <= index < len(self)]
        if wrong:
            raise ShapeError(f"frame {wrong[0]} of {self.path}: expected a number from 0 to {len(self) - 1}")
        places = np.asarray(indices, dtype=np.int64)
        frames = np.empty((len(places), *self.size, 3), dtype=np.uint8)  # [n, H, W, 3]
        wanted = np.unique(places).tolist()
        for index, frame in zip(wanted, self.decode(wanted), strict=True):
            frames[places == index] = frame
        return frames

    def every(self, step: int) -> Iterator[tuple[int, np.ndarray]]:
        """Every `step`-th frame in one pass, one in memory at a time: (number, uint8 RGB [H, W, 3]).

        Raises:
            ClipError: where the clip cannot be decoded any further.
        """
        for index in range(0, len(self), step):
            yield index, self.read([index])[0]

    def count_whole(self) -> int:
        """How many frames, from the first on, can be decoded; decodes all of them, to the end or to damage."""
        count = 0
        with suppress(ClipError):
            for index, _ in self.every(1):
                count = index + 1
        return count

    @abstractmethod
    def close(self) -> None:
        """Let go of the file."""

    @abstractmethod
    def decode(self, indices: Sequence[int]) -> Iterable[np.ndarray]:
        """Frames uint8 RGB [H, W, 3] of ascending numbers, one after the other; what a decoder has to do."""
