"""SOURCE of a run over clips: a short clip comes as the views a model takes, a long video as a stream of frames."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from densevl.core.errors import ClipError, UsageError
from densevl.core.files import sha256_file
from densevl.data import open_frames
from densevl.data.folders import CLIP_FILES, find_files
from densevl.data.frames_pyav import PyAVFrames
from densevl.data.output_names import refuse_clashes
from densevl.data.packet_scan import PacketScan, errors_of
from densevl.data.pictures import shown
from video.views import ClipViews
from video.windows import plan_windows

logger = logging.getLogger(__name__)

_ROUNDING = 1e-6  # of a duration
_FRAMES_AHEAD = 16  # of a long video, cut to the size of the model


@dataclass(frozen=True)
class WindowRule:
    """What counts as a long video, and how one is cut.

    Attributes:
        long_sec: a clip that lasts longer gets a timeline.
        window_sec: length of a window.
        stride_sec: from one window to the next.
    """

    long_sec: float = 30.0
    window_sec: float = 4.0
    stride_sec: float = 2.0

    def __post_init__(self) -> None:
        """Check the numbers before a run begins."""
        if not 0 <= self.long_sec < np.inf:
            raise UsageError(f"long_sec {self.long_sec:g}: expected seconds, 0 for a timeline of every clip")
        plan_windows(np.zeros(1), 1.0, num_frames=1, window_sec=self.window_sec, stride_sec=self.stride_sec)


@dataclass(frozen=True, eq=False)
class ShortClip:
    """A decoded clip.

    Attributes:
        views: [V, T, S, S, 3] uint8.
        duration_sec: how long it lasts.
        note: what a reader of the results should know; "" for a whole clip.
    """

    views: np.ndarray
    duration_sec: float
    note: str = ""


class LongVideo:
    """A video that is decoded while it is watched, in one pass; a few frames at a time are in memory.

    Args:
        path: the file.
        scan: what its packets say.
        views: what the model sees of a frame.
        rule: how it is cut into windows.
    """

    def __init__(self, path: Path, scan: PacketScan, *, views: ClipViews, rule: WindowRule) -> None:
        self.path, self.scan, self.views = path, scan, views
        self.plan = plan_windows(
            scan.seconds,
            scan.fps,
            num_frames=views.num_frames,
            window_sec=rule.window_sec,
            stride_sec=rule.stride_sec,
        )

    @property
    def duration_sec(self) -> float:
        """How long it lasts."""
        return float(self.plan.spans[-1, 1])

    def crops(self) -> Iterator[tuple[int, np.ndarray]]:
        """Every wanted frame once, ascending: (number, [C, S, S, 3] uint8). A thread decodes and cuts ahead.

        A video that is cut off ends there.

        Raises:
            ClipError: it is damaged.
        """
        with PyAVFrames(self.path, self.scan) as reader, ThreadPoolExecutor(1, "decode") as decoder:
            passed = self.views.cuts(reader, self.plan.distinct)
            waiting = deque(decoder.submit(next, passed, None) for _ in range(_FRAMES_AHEAD))
            try:
                while (frame := waiting.popleft().result()) is not None:
                    waiting.append(decoder.submit(next, passed, None))
                    yield frame
            except ClipError:
                if not self.scan.cut:
                    raise
            finally:
                for future in waiting:
                    future.cancel()


class ClipSource:
    """The clips of a run (a core.stages.Source).

    Args:
        paths: files.
        names: the output name of each.
        views: what the model sees of a clip.
        rule: which ones are long, and how they are cut.
    """

    def __init__(self, paths: Sequence[Path], names: Sequence[str], *, views: ClipViews, rule: WindowRule) -> None:
        self.paths, self.output_names = tuple(paths), tuple(names)
        self.views, self.rule = views, rule

    def __len__(self) -> int:
        return len(self.paths)

    def names(self) -> Sequence[str]:
        """The output name of every clip."""
        return self.output_names

    def origin(self, index: int) -> str:
        """Where a clip comes from: its file."""
        return shown(self.paths[index])

    def digest(self, index: int) -> str:
        """The sha256 of a clip's file.

        Raises:
            ClipError: it cannot be read.
        """
        with errors_of(self.paths[index], "cannot be read"):
            return sha256_file(self.paths[index])

    def read(self, index: int) -> tuple[ShortClip | LongVideo, str]:
        """The clip and its digest; a short one decoded, a long one opened.

        Raises:
            ClipError: it cannot be decoded.
        """
        path = self.paths[index]
        with open_frames(path, "pyav") as reader:
            if reader.scan.cut:
                logger.warning("%s: %s; read up to there", shown(path), reader.scan.cut)
            duration = reader.seconds(len(reader) - 1) + 1 / reader.fps
            if duration > self.rule.long_sec + _ROUNDING:
                return LongVideo(path, reader.scan, views=self.views, rule=self.rule), self.digest(index)
            return ShortClip(self.views.read(reader), duration, reader.scan.cut), self.digest(index)


def find_inputs(
    text: str, *, stdin: TextIO | None = None, exclude: str | Path | None = None
) -> tuple[list[Path], list[str]]:
    """Find the clips that SOURCE means: a file, folder (with its sub-folders), glob, `.txt` list or `-`.

    Returns:
        Paths and output names, without clashes.

    Raises:
        SourceError: absent, unreadable, without clips, or two clips that would become one output.
    """
    paths, names = find_files(text, CLIP_FILES, stdin=stdin, exclude=exclude)
    refuse_clashes(paths, names, exclude=exclude)
    return paths, names
