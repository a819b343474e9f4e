"""How a long video is cut into windows: pure integers and seconds, known before anything is decoded."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from densevl.core.errors import DataError, UsageError


@dataclass(frozen=True, eq=False)
class WindowPlan:
    """W overlapping windows of a video.

    Attributes:
        frame_numbers: [W, T] int64, ascending along both axes; windows that overlap share frames.
        spans: [W, 2] float64, start and end of each window in seconds.
    """

    frame_numbers: np.ndarray
    spans: np.ndarray

    def __len__(self) -> int:
        return len(self.spans)

    @property
    def distinct(self) -> list[int]:
        """Every frame number that occurs, ascending, once."""
        return np.unique(self.frame_numbers).tolist()


def plan_windows(
    seconds: np.ndarray, fps: float, *, num_frames: int, window_sec: float, stride_sec: float
) -> WindowPlan:
    """Cut a video into windows of equal length whose frames lie on one grid, `num_frames` a window.

    The stride is rounded to whole steps of that grid, so that every frame is wanted once, whatever the overlap. The
    last window ends with the video. A video shorter than a window is one window.

    Args:
        seconds: [n] when each frame is shown, ascending from 0; rates may vary.
        fps: frames a second: how long the last frame is shown.
        num_frames: T, frames a window.
        window_sec: length of a window in seconds.
        stride_sec: from the start of a window to that of the next, at most its length.

    Raises:
        DataError: the video has no frame.
        UsageError: a length that is not above 0, or a stride that leaves gaps.
    """
    if not len(seconds):
        raise DataError("the video has no frame: nothing to cut into windows")
    if not 0 < window_sec < np.inf or not 0 < stride_sec <= window_sec:
        raise UsageError(
            f"windows of {window_sec:g} s every {stride_sec:g} s: expected lengths above 0, and a stride of at most a "
            "window, so that nothing is left out"
        )
    duration = float(seconds[-1]) + 1 / fps
    step = min(window_sec, duration) / num_frames  # seconds from one frame of a window to the next
    total = max(num_frames, int(duration / step + 1e-6))  # places of the grid
    starts = np.arange(0, total - num_frames + 1, max(1, round(stride_sec / step)))
    if starts[-1] != total - num_frames:
        starts = np.append(starts, total - num_frames)
    places = starts[:, None] + np.arange(num_frames)  # [W, T]
    moments = (places + 0.5) * step
    frames = np.maximum(np.searchsorted(seconds, moments + 1e-9, side="right") - 1, 0)  # shown at that moment
    spans = np.stack([starts * step, (starts + num_frames) * step], axis=1)  # [W, 2]
    spans[-1, 1] = duration
    return WindowPlan(frames.astype(np.int64), spans)
