"""Windows of a long video: they cover it, share frames and end with it."""

from __future__ import annotations

import numpy as np
import pytest

from densevl.core.errors import DataError, UsageError
from video.windows import plan_windows


def steady(seconds: float, fps: float) -> np.ndarray:
    return np.arange(round(seconds * fps)) / fps


def test_windows_tile_the_video_and_overlapping_ones_share_frames() -> None:
    plan = plan_windows(steady(10, 10), 10, num_frames=4, window_sec=4, stride_sec=2)
    assert plan.spans.tolist() == [[0, 4], [2, 6], [4, 8], [6, 10]]
    assert plan.frame_numbers.tolist() == [[5, 15, 25, 35], [25, 35, 45, 55], [45, 55, 65, 75], [65, 75, 85, 95]]
    assert plan.distinct == [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]


def test_the_last_window_ends_with_the_video_wherever_that_is() -> None:
    plan = plan_windows(steady(11.3, 10), 10, num_frames=4, window_sec=4, stride_sec=2)
    assert plan.spans[:, 0].tolist() == [0, 2, 4, 6, 7]
    assert plan.spans[-1, 1] == pytest.approx(11.3)
    assert plan.frame_numbers.max() < 113


def test_a_stride_is_rounded_to_steps_of_the_frames() -> None:
    plan = plan_windows(steady(20, 25), 25, num_frames=4, window_sec=4, stride_sec=1.4)
    assert np.diff(plan.spans[:, 0]).tolist() == [1.0] * (len(plan) - 1)
    assert plan_windows(steady(20, 25), 25, num_frames=4, window_sec=4, stride_sec=0.01).spans[1, 0] == 1.0


def test_frames_of_a_varying_rate_are_those_shown_at_the_moment() -> None:
    seconds = np.array([0, 0.1, 0.2, 3.0, 3.1, 7.9])
    plan = plan_windows(seconds, 10, num_frames=2, window_sec=4, stride_sec=4)
    assert plan.frame_numbers.tolist() == [[2, 3], [4, 4]]  # shown at 1, 3, 5 and 7 s


def test_a_video_shorter_than_a_window_is_one_window() -> None:
    plan = plan_windows(steady(1, 10), 10, num_frames=4, window_sec=4, stride_sec=2)
    assert plan.spans.tolist() == [[0, 1]]
    assert plan.frame_numbers.tolist() == [[1, 3, 6, 8]]
    assert plan_windows(np.zeros(1), 25, num_frames=3, window_sec=4, stride_sec=2).frame_numbers.tolist() == [[0, 0, 0]]


@pytest.mark.parametrize("fps", [10, 12, 23.976, 25, 29.97, 30, 60])
@pytest.mark.parametrize("seconds", [30.0, 31.7, 3600.0])
def test_windows_stay_within_the_video_and_both_axes_ascend(fps: float, seconds: float) -> None:
    plan = plan_windows(steady(seconds, fps), fps, num_frames=8, window_sec=4, stride_sec=2)
    assert (np.diff(plan.frame_numbers, axis=1) >= 0).all() and (np.diff(plan.frame_numbers, axis=0) >= 0).all()
    assert plan.frame_numbers.max() < round(seconds * fps)
    assert len(plan.distinct) <= plan.spans[-1, 1] * 2 + 1  # two frames a second, each once


@pytest.mark.parametrize(("window", "stride"), [(0, 1), (4, 0), (4, 5), (-1, -1), (float("nan"), 1), (float("inf"), 1)])
def test_lengths_that_leave_gaps_or_make_no_windows_are_refused(window: float, stride: float) -> None:
    with pytest.raises(UsageError, match="nothing is left out"):
        plan_windows(steady(10, 10), 10, num_frames=4, window_sec=window, stride_sec=stride)


def test_a_video_without_frames_is_refused() -> None:
    with pytest.raises(DataError, match="no frame"):
        plan_windows(np.zeros(0), 10, num_frames=4, window_sec=4, stride_sec=2)
