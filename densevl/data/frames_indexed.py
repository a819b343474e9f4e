"""Frames by libraries that seek: decord (what the published evaluations use) and torchcodec."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from densevl.data.frame_reader import FrameReader
from densevl.data.packet_scan import PacketScan, clip_error, errors_of


class DecordFrames(FrameReader):
    """decord, one thread.

    Raises:
        ClipError: it cannot open the clip, or counts other frames than the packets show.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        super().__init__(path, scan)
        import decord

        with errors_of(path, "decord cannot open it"):
            self._clip = decord.VideoReader(os.fspath(path), ctx=decord.cpu(0), num_threads=1)
            _refuse_other_count(path, len(self._clip), len(self))

    def close(self) -> None:
        """Let go of the file."""
        self._clip = None

    def _decode(self, indices: Sequence[int]) -> Iterable[np.ndarray]:
        if not indices:
            return []
        with errors_of(self.path, "damaged: decord cannot decode a frame that was asked for"):
            return self._clip.get_batch(indices).asnumpy()


class TorchcodecFrames(FrameReader):
    """torchcodec in its exact mode, one thread; needs FFmpeg's shared libraries.

    Raises:
        ClipError: it cannot open the clip, or counts other frames than the packets show.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        super().__init__(path, scan)
        from torchcodec.decoders import VideoDecoder

        with errors_of(path, "torchcodec cannot open it"):
            self._clip = VideoDecoder(os.fspath(path), dimension_order="NHWC", num_ffmpeg_threads=1, seek_mode="exact")
            _refuse_other_count(path, len(self._clip), len(self))

    def close(self) -> None:
        """Let go of the file."""
        self._clip = None

    def _decode(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        for index in indices:
            with errors_of(self.path, f"damaged: torchcodec cannot decode frame {index}"):
                yield self._clip.get_frame_at(index).data.numpy()


def _refuse_other_count(path: str | Path, counted: int, scanned: int) -> None:
    if counted != scanned:
        raise clip_error(path, f"this decoder counts {counted} frames, the packets {scanned}; read it with pyav")
