"""From a clip list to sampled frames, and what happens to a clip that cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np

from densevl.core.errors import ClipError, ClipPolicy, UnknownNameError
from densevl.data.decoder_process import DECODE_SEC, DecoderProcess
from densevl.data.frame_reader import FrameReader
from densevl.data.frames import Backend, open_frames
from video.lists import ClipList

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SampledClip:
    """One clip of a list.

    Attributes:
        index: its place in the list.
        label: its class.
        frames: [V, T, H, W, 3] uint8 RGB; None where the clip cannot be read.
        counts: whether it enters the accuracy; a clip without frames that counts is a wrong answer.
        error: why it cannot be read; "" where it can.
    """

    index: int
    label: int
    frames: np.ndarray | None
    counts: bool = True
    error: str = ""


class ClipReader:
    """The sampled frames of a list's clips, by place; only those frames are decoded. A context manager.

    A clip that is cut off (it promises more frames than it holds) is read up to the cut whatever the policy, counts as
    any other, and is warned of once by its path: half a clip still shows what is done in it. Frames are numbered among
    those that can be decoded, so a sample spans what is left. Damage inside of a clip is a matter of the policy.

    In a data loader, every worker has a decoding process of its own, which stays for all its clips.

    Args:
        clips: the list.
        sample: number of frames -> frame numbers [V, T], such as a partial `video.sampling.sample_frames`.
        policy: a clip that cannot be read raises, is left out ("skip"), or is a wrong answer ("count-as-wrong"). The
            figures of a paper need the last: a benchmark without its broken clips is another benchmark.
        backend: which library decodes, see `densevl.data.frames.open_frames`.
        timeout_sec: a clip that takes longer to open, or to read, cannot be read: its decoder is killed. None: decode
            in this process, where nothing can be done about a decoder that hangs; a few ms faster a clip.

    Raises:
        UnknownNameError: there is no such policy.
        UsageError: the time limit is not above 0.
    """

    def __init__(
        self,
        clips: ClipList,
        sample: Callable[[int], np.ndarray],
        *,
        policy: ClipPolicy = "raise",
        backend: Backend = "auto",
        timeout_sec: float | None = DECODE_SEC,
    ) -> None:
        if policy not in get_args(ClipPolicy):
            raise UnknownNameError("policy for clips", policy, get_args(ClipPolicy))
        self.clips, self.sample, self.policy, self.backend = clips, sample, policy, backend
        self._decoder = None if timeout_sec is None else DecoderProcess(timeout_sec=timeout_sec, backend=backend)
        self._whole: dict[Path, int] = {}  # frames of cut clips that can be decoded

    def __enter__(self) -> ClipReader:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the decoding process; the next clip starts another."""
        if self._decoder is not None:
            self._decoder.close()

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[SampledClip]:
        """All clips in order; those left out come too, with `counts` False."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> SampledClip:
        """Decode one clip; see `read`."""
        return self.read(index, self.sample)

    def read(self, index: int, sample: Callable[[int], np.ndarray]) -> SampledClip:
        """Decode one clip's frames by a sampling of its own, such as one drawn for training.

        Raises:
            ClipError: it cannot be read, and the policy is "raise".
            IndexError: there is no such place.
        """
        path, label = self.clips.paths[index], self.clips.labels[index]
        try:
            with self._open(path) as reader:
                places = sample(self._count(reader, path))  # [V, T]
                frames = reader.read(places.ravel().tolist())  # [V*T, H, W, 3]
        except ClipError as error:
            if self.policy == "raise":
                raise
            logger.warning("%s: %s", "skipped" if self.policy == "skip" else "counted as wrong", error)
            return SampledClip(index, label, None, counts=self.policy == "count-as-wrong", error=str(error))
        return SampledClip(index, label, frames.reshape(*places.shape, *frames.shape[1:]))

    def _open(self, path: Path) -> FrameReader:
        return open_frames(path, self.backend) if self._decoder is None else self._decoder.open(path)

    def _count(self, reader: FrameReader, path: Path) -> int:
        """How many frames there are to sample from."""
        if not reader.scan.cut:
            return len(reader)
        if path not in self._whole:
            self._whole[path] = reader.count_whole()
            logger.warning("%s: %s; read up to there (%d decodable)", path, reader.scan.cut, self._whole[path])
        return self._whole[path] or len(reader)  # reading says what is wrong with the first
