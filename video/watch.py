"""Watching a long video: window scores from one decoding pass, and the timeline that they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from densevl.core.errors import ClipError
from densevl.core.structures import TextBank
from densevl.data.pictures import shown
from video.classifier import VideoClassifier
from video.clip_source import LongVideo
from video.results import ClipPrediction
from video.timeline import Segment, SegmentRule, find_segments

PICTURES = 12  # of a timeline


@dataclass(frozen=True, eq=False)
class Timeline:
    """A long video and what happens when.

    Attributes:
        class_names: K names.
        spans: [W, 2] start and end of each window in seconds.
        scores: [W, K] float32 probabilities.
        segments: from the start to the end without gaps.
        pictures: moments in seconds, each with a frame [S, S, 3] uint8 as the model saw it.
    """

    class_names: tuple[str, ...]
    spans: np.ndarray
    scores: np.ndarray
    segments: tuple[Segment, ...]
    pictures: tuple[tuple[float, np.ndarray], ...] = ()

    @property
    def duration_sec(self) -> float:
        """Where the last segment ends."""
        return self.segments[-1].end_sec

    @property
    def overall(self) -> ClipPrediction:
        """The video as one clip: the mean over its windows."""
        return ClipPrediction(self.class_names, self.scores.mean(axis=0))


def watch(
    video: LongVideo,
    classifier: VideoClassifier,
    bank: TextBank,
    *,
    rule: SegmentRule,
    progress: Callable[[float], object] = lambda seconds: None,
) -> Timeline:
    """Score every window of a video while it is decoded, once.

    A frame, or what the model made of it, is kept as long as a window needs it.

    Args:
        video: of a ClipSource.
        classifier: the model.
        bank: of its `encode`.
        rule: how windows become segments.
        progress: called with the second up to which the video has been scored.

    Raises:
        ClipError: it is damaged, or cut off before its first window ends.
    """
    plan, scores = video.plan, []
    kept: dict[int, np.ndarray] = {}  # by frame number: crops [C, S, S, 3], or their features [C, E]
    pictures = _Pictures(video)
    ready = 0  # windows whose frames have come
    for numbers, crops in _in_chunks(video.crops(), classifier.view_batch * classifier.views.num_frames):
        kept |= zip(numbers, classifier.look(crops), strict=True)
        pictures.see(numbers, crops)
        windows = []  # [C, T, ...] each
        while ready < len(plan) and plan.frame_numbers[ready, -1] <= numbers[-1]:
            windows.append(classifier.views.stack(kept, plan.frame_numbers[ready : ready + 1]))
            ready += 1
        if windows:
            scores.append(classifier.score(np.stack(windows), bank))
            progress(float(plan.spans[ready - 1, 1]))
        needed = plan.frame_numbers[ready, 0] if ready < len(plan) else numbers[-1] + 1
        kept = {number: frame for number, frame in kept.items() if number >= needed}
    if not scores:
        raise ClipError(f"{shown(video.path)}: breaks off within the first window; fetch it anew", path=str(video.path))
    rows, spans = np.concatenate(scores), plan.spans[:ready]
    segments = find_segments(rows, spans, bank.class_names, rule=rule)
    return Timeline(bank.class_names, spans, rows, tuple(segments), tuple(pictures.seen))


def _in_chunks(frames: Iterator[tuple[int, np.ndarray]], size: int) -> Iterator[tuple[list[int], np.ndarray]]:
    """Frames with their numbers, some at a time: n numbers and [n, C, S, S, 3]."""
    while chunk := list(islice(frames, size)):
        yield [number for number, _ in chunk], np.stack([crops for _, crops in chunk])


class _Pictures:
    """A few frames at even distances, picked as they come by."""

    def __init__(self, video: LongVideo) -> None:
        distinct = video.plan.distinct
        count = min(PICTURES, len(distinct))
        moments = (np.arange(count) + 0.5) / count * video.duration_sec
        nearest = np.abs(video.scan.seconds[distinct][:, None] - moments).argmin(axis=0)
        self._seconds = {distinct[place]: float(video.scan.seconds[distinct[place]]) for place in nearest}
        self.seen: list[tuple[float, np.ndarray]] = []

    def see(self, numbers: Sequence[int], crops: np.ndarray) -> None:
        """Keep those of the frames [n, C, S, S, 3] that are among the few; of several crops, the middle one."""
        for number, frame in zip(numbers, crops, strict=True):
            if number in self._seconds:
                self.seen.append((self._seconds[number], frame[len(frame) // 2].copy()))
