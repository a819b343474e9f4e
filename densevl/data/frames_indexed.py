"""Frames by libraries that seek: decord (what the published evaluations use) and torchcodec."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from densevl.core.errors import ClipError, UsageError
from densevl.data.frame_reader import FrameReader
from densevl.data.packet_scan import PacketScan, clip_error, errors_of

logger = logging.getLogger(__name__)


class DecordFrames(FrameReader):
    """decord, one thread.

    Raises:
        ClipError: it cannot open the clip, or counts other frames than the packets show.
        UsageError: it is not installed.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        super().__init__(path, scan)
        with _library("decord"):
            import decord
        with errors_of(path, "decord cannot open it"):
            self._clip = decord.VideoReader(os.fspath(path), ctx=decord.cpu(0), num_threads=1)
            _refuse_other_count(path, len(self._clip), len(self))

    def close(self) -> None:
        """Let go of the file."""
        self._clip = None

    def decode(self, indices: Sequence[int]) -> Iterable[np.ndarray]:
        """Frames of ascending numbers; see FrameReader."""
        if not indices:
            return []
        with errors_of(self.path, "damaged: decord cannot decode a frame that was asked for"):
            return self._clip.get_batch(indices).asnumpy()


class DecordOrPyAVFrames(DecordFrames):
    """decord until it fails on a frame, then PyAV for what was asked and all that follows.

    decord decodes ahead: on a damaged clip the number of frames that it gives differs from run to run.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        super().__init__(path, scan)
        self._successor: FrameReader | None = None

    def close(self) -> None:
        """Let go of the file."""
        super().close()
        if self._successor is not None:
            self._successor.close()

    def decode(self, indices: Sequence[int]) -> Iterable[np.ndarray]:
        """Frames of ascending numbers; see FrameReader."""
        if self._successor is None:
            try:
                return super().decode(indices)
            except ClipError as error:
                from densevl.data.frames_pyav import PyAVFrames

                logger.info("%s; going on with PyAV", error)
                super().close()
                self._successor = PyAVFrames(self.path, self.scan)
        return self._successor.decode(indices)


class TorchcodecFrames(FrameReader):
    """torchcodec in its exact mode, one thread; needs FFmpeg's shared libraries.

    Raises:
        ClipError: it cannot open the clip, or counts other frames than the packets show.
        UsageError: it is not installed, or its libraries are not.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        super().__init__(path, scan)
        with _library("torchcodec"):
            from torchcodec.decoders import VideoDecoder
        with errors_of(path, "torchcodec cannot open it"):
            self._clip = VideoDecoder(os.fspath(path), dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="exact")
            _refuse_other_count(path, len(self._clip), len(self))

    def close(self) -> None:
        """Let go of the file."""
        self._clip = None

    def decode(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames of ascending numbers; see FrameReader."""
        for index in indices:
            with errors_of(self.path, f"damaged: torchcodec cannot decode frame {index}"):
                yield self._clip.get_frame_at(index).data.numpy()


@contextmanager
def _library(name: str) -> Iterator[None]:
    try:
        yield
    except (ImportError, OSError) as error:  # OSError: torchcodec without FFmpeg's libraries
        reason = str(error).strip().splitlines()[0]
        raise UsageError(f"{name} cannot be loaded ({reason}): pip install {name}, or choose pyav") from error


def _refuse_other_count(path: str | Path, counted: int, scanned: int) -> None:
    if counted != scanned:
        raise clip_error(path, f"this decoder counts {counted} frames, the packets {scanned}; read it with pyav")
