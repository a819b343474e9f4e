"""Frames by PyAV in one pass from the start: right on every file that decodes, and counted by what was decoded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from densevl.core.errors import ClipError
from densevl.data.frame_reader import FrameReader
from densevl.data.packet_scan import PacketScan, clip_error, errors_of, open_container, pictures_of

if TYPE_CHECKING:
    from av.container import InputContainer


class PyAVFrames(FrameReader):
    """Decodes up to the last wanted frame and converts the wanted ones only.

    A frame that the decoder patched over damage counts as damaged: it and all after it raise ClipError.
    """

    def __init__(self, path: str | Path, scan: PacketScan) -> None:
        super().__init__(path, scan)
        self._container: InputContainer | None = None
        self._pass: Iterator[av.VideoFrame] = iter(())
        self._position, self._frame = -1, None
        self._reformatter = VideoReformatter()  # one for all frames: making its tables costs more than a small frame
        self._damage: tuple[int, ClipError] | None = None

    def close(self) -> None:
        """Let go of the file."""
        self._pass, self._frame = iter(()), None
        if self._container is not None:
            self._container.close()
            self._container = None

    def decode(self, indices: Sequence[int]) -> Iterator[np.ndarray]:
        """Frames of ascending numbers; see FrameReader."""
        height, width = self.scan.coded_size
        for index in indices:
            self._go_to(index)
            with errors_of(self.path, f"frame {index} cannot be converted"):
                frame = self._reformatter.reformat(self._frame, width, height, "rgb24", threads=1)
            yield np.rot90(frame.to_ndarray(), self.scan.rotation // 90)

    def _go_to(self, index: int) -> None:
        if self._damage is not None and index >= self._damage[0]:
            raise self._damage[1]
        if self._container is None or index < self._position:
            self._start()
        while self._position < index:
            following = self._position + 1
            try:
                with errors_of(self.path, f"damaged: frame {following} of {len(self)} and all after it are lost"):
                    self._frame = next(self._pass, None)
            except ClipError as error:
                self._damage = following, error
                raise
            if self._frame is None:
                reason = f"ends after {following} frames where its packets promise {len(self)}; copy it anew"
                self._damage = following, clip_error(self.path, reason)
                raise self._damage[1]
            self._position = following

    def _start(self) -> None:
        self.close()
        with errors_of(self.path, "cannot be opened"):
            self._container = open_container(self.path)
        self._pass, self._position = self._whole_frames(self._container), -1

    def _whole_frames(self, container: InputContainer) -> Iterator[av.VideoFrame]:
        """Decoded frames up to the first damaged one, which raises.

        Frames that wait in the decoder for their turn are lost then: one that should come before may be the damaged.
        """
        for frame in container.decode(pictures_of(container, self.path)):
            if frame.is_corrupt:
                raise ValueError("the decoder had to patch it")
            yield frame
