"""Which frames of a video a model sees: pure integers, nothing is decoded here.

Five rules, all with the same door. T frames a view, V views:

- `segment`  T equal segments, one frame each (ViFi-CLIP, ILA on Kinetics);
- `twice`    two views: the centres of the segments, then their first frames;
- `uniform`  T segments between the first and the last frame, the rule of Something-Something;
- `dense`    V clips of T frames `stride` apart, one clip in each of V segments;
- `slide`    V clips of T frames `stride` apart, from the first possible start to the last (M2-CLIP).

Without a generator every rule gives the same frames each time: views lie at even places of their segments, and one view
lies in the middle. With a generator the frames are those of training; V > 1 views are then V independent draws.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from densevl.core.errors import DataError, UnknownNameError, UsageError
from video.draws import Draws, draw_below


def sample_frames(
    total_frames: int,
    *,
    num_frames: int,
    rule: str = "segment",
    stride: int = 1,
    views: int = 1,
    past_end: str = "loop",
    rng: Draws | None = None,
) -> np.ndarray:
    """Frame numbers of the views of one video; add the first frame of a part to sample within that part.

    Args:
        total_frames: frames that can be decoded, at least 1.
        num_frames: T, frames a view.
        rule: segment, twice, uniform, dense or slide.
        stride: frames from one frame of a clip to the next; dense and slide only.
        views: V, clips in time; twice has two.
        past_end: what stands for a frame behind the last one: `loop` begins anew, `repeat_last` repeats the last frame
            of that view that exists, `clamp` takes the last frame of the video.
        rng: None for the frames of evaluation, a seeded generator for those of training.

    Returns:
        [V, T] int64, each in [0, total_frames).

    Raises:
        DataError: the video has no frame.
        UnknownNameError: rule or past_end is none of those above.
        UsageError: a number below 1, or one that the rule does not take.

    Source: X-CLIP (ECCV 2022) and mmaction2 0.x `SampleFrames`; M2-CLIP (AAAI 2024) for `slide`.
    """
    if rule not in _RULES:
        raise UnknownNameError("frame rule", rule, _RULES)
    if past_end not in _PAST_END:
        raise UnknownNameError("past_end", past_end, _PAST_END)
    _check_numbers(total_frames, num_frames, rule=rule, stride=stride, views=views)
    if rule in _STRIDED:
        frames = _STRIDED[rule](total_frames, num_frames, stride, views, rng)
    else:
        frames = _SPREAD[rule](total_frames, num_frames, views, rng)
    return _PAST_END[past_end](frames, total_frames)  # [V, T]


@dataclass(frozen=True)
class FrameRule:
    """`sample_frames` for one view, with its numbers set; they are explained there."""

    num_frames: int = 8
    rule: str = "segment"
    stride: int = 1

    def __call__(self, total_frames: int, rng: Draws | None = None) -> np.ndarray:
        """[1, T] int64 of a clip of so many frames, drawn where a generator is given."""
        return sample_frames(total_frames, num_frames=self.num_frames, rule=self.rule, stride=self.stride, rng=rng)


def _segment(total: int, num_frames: int, views: int, rng: Draws | None) -> np.ndarray:
    if rng is not None:
        return np.stack([_drawn_starts(total, 1, num_frames, rng) for _ in range(views)])
    places = (np.arange(views) + 0.5) / views
    return np.stack([_even_starts(total, 1, num_frames, place) for place in places])  # [V, T]


def _twice(total: int, num_frames: int, views: int, rng: Draws | None) -> np.ndarray:
    if rng is not None:
        return _segment(total, num_frames, views, rng)
    return np.stack([_even_starts(total, 1, num_frames, place) for place in (0.5, 0.0)])  # [2, T]


def _uniform(total: int, num_frames: int, views: int, rng: Draws | None) -> np.ndarray:
    edges = np.around((total - 1) / num_frames * np.arange(num_frames + 1)).astype(np.int64)  # [T + 1]
    starts, lengths = edges[:-1], np.diff(edges)
    if rng is not None:
        return np.stack([starts + draw_below(rng, lengths + 1) for _ in range(views)])
    places = 2 * np.arange(views)[:, None] + 1
    return starts + lengths * places // (2 * views)  # [V, T]


def _dense(total: int, num_frames: int, stride: int, views: int, rng: Draws | None) -> np.ndarray:
    span = num_frames * stride
    starts = _even_starts(total, span, views, 0.5) if rng is None else _drawn_starts(total, span, views, rng)
    return starts[:, None] + np.arange(num_frames) * stride  # [V, T]


def _slide(total: int, num_frames: int, stride: int, views: int, rng: Draws | None) -> np.ndarray:
    room = max(0, total - ((num_frames - 1) * stride + 1))  # the last start
    if rng is not None:
        starts = draw_below(rng, np.full(views, room + 1))
    elif views == 1:
        starts = np.array([room // 2])
    else:
        starts = np.around(room / (views - 1) * np.arange(views)).astype(np.int64)
    return starts[:, None] + np.arange(num_frames) * stride  # [V, T]


def _even_starts(total: int, span: int, count: int, place: float) -> np.ndarray:
    """Starts of `count` clips of `span` frames, each at the same place of its segment: 0 its start, 0.5 its centre."""
    room = total - span + 1
    if room <= 0:
        return np.zeros(count, dtype=np.int64)
    length = room / count
    return np.floor(np.arange(count) * length + length * place).astype(np.int64)  # [count]


def _drawn_starts(total: int, span: int, count: int, rng: Draws) -> np.ndarray:
    """Drawn starts of `count` clips of `span` frames: one a segment while a segment has a whole frame.

    In a video shorter than the clips, or than one frame a segment, the starts are spread evenly, or all 0.
    """
    room = total - span + 1
    length = room // count
    if length > 0:
        return np.arange(count) * length + draw_below(rng, np.full(count, length))
    if total > max(count, span):
        return np.sort(draw_below(rng, np.full(count, room)))
    if length == 0:
        return np.around(np.arange(count) * (room / count)).astype(np.int64)
    return np.zeros(count, dtype=np.int64)


def _loop(frames: np.ndarray, total: int) -> np.ndarray:
    return frames % total


def _repeat_last(frames: np.ndarray, total: int) -> np.ndarray:
    inside = frames < total
    last = np.where(inside, frames, 0).max(axis=1, keepdims=True)  # [V, 1]
    return np.where(inside, frames, last)


def _clamp(frames: np.ndarray, total: int) -> np.ndarray:
    return np.minimum(frames, total - 1)


_SPREAD: dict[str, Callable[[int, int, int, Draws | None], np.ndarray]] = {
    "segment": _segment,
    "twice": _twice,
    "uniform": _uniform,
}
_STRIDED: dict[str, Callable[[int, int, int, int, Draws | None], np.ndarray]] = {"dense": _dense, "slide": _slide}
_RULES = (*_SPREAD, *_STRIDED)
_PAST_END: dict[str, Callable[[np.ndarray, int], np.ndarray]] = {
    "loop": _loop,
    "repeat_last": _repeat_last,
    "clamp": _clamp,
}


def _check_numbers(total_frames: int, num_frames: int, *, rule: str, stride: int, views: int) -> None:
    if total_frames < 1:
        raise DataError(f"expected a video of at least 1 frame, got {total_frames}: nothing can be sampled from it")
    for name, number in (("num_frames", num_frames), ("stride", stride), ("views", views)):
        if number < 1:
            raise UsageError(f"{name} must be at least 1, got {number}")
    if stride != 1 and rule not in _STRIDED:
        raise UsageError(f"rule '{rule}' spreads its frames and takes no stride, got {stride}: use dense or slide")
    if rule == "twice" and views != 2:
        raise UsageError(f"rule 'twice' has 2 views, got {views}")
