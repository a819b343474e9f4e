"""From a clip list to sampled frames, and what happens to a clip that cannot be read."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np

from densevl.core.errors import ClipError, ClipPolicy, UnknownNameError
from densevl.data.frames import open_frames
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
    """The sampled frames of a list's clips, by place; only those frames are decoded.

    Args:
        clips: the list.
        sample: number of frames -> frame numbers [V, T], such as a partial `video.sampling.sample_frames`.
        policy: a clip that cannot be read raises, is left out ("skip"), or is a wrong answer ("count-as-wrong"). The
            figures of a paper need the last: a benchmark without its broken clips is another benchmark.
        backend: which library decodes, see `densevl.data.frames.open_frames`.

    Raises:
        UnknownNameError: there is no such policy.
    """

    def __init__(
        self,
        clips: ClipList,
        sample: Callable[[int], np.ndarray],
        *,
        policy: ClipPolicy = "raise",
        backend: str = "auto",
    ) -> None:
        if policy not in get_args(ClipPolicy):
            raise UnknownNameError("policy for clips", policy, get_args(ClipPolicy))
        self.clips, self.sample, self.policy, self.backend = clips, sample, policy, backend

    def __len__(self) -> int:
        return len(self.clips)

    def __iter__(self) -> Iterator[SampledClip]:
        """All clips in order; those left out come too, with `counts` False."""
        return (self[index] for index in range(len(self)))

    def __getitem__(self, index: int) -> SampledClip:
        """Decode one clip.

        Raises:
            ClipError: it cannot be read, and the policy is "raise".
            IndexError: there is no such place.
        """
        path, label = self.clips.paths[index], self.clips.labels[index]
        try:
            with open_frames(path, self.backend) as reader:
                places = self.sample(len(reader))  # [V, T]
                frames = reader.read(places.ravel().tolist())  # [V*T, H, W, 3]
        except ClipError as error:
            if self.policy == "raise":
                raise
            logger.warning("%s: %s", "skipped" if self.policy == "skip" else "counted as wrong", error)
            return SampledClip(index, label, None, counts=self.policy == "count-as-wrong", error=str(error))
        return SampledClip(index, label, frames.reshape(*places.shape, *frames.shape[1:]))
