"""SOURCE of a run that holds clips: every n-th frame under the time it is shown at, and pictures as they are."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from densevl.core.errors import ClipError
from densevl.core.files import sha256_bytes, sha256_file
from densevl.data.frame_reader import FrameReader
from densevl.data.frames import CLIP_SUFFIXES, open_frames
from densevl.data.packet_scan import clip_error, errors_of, scan_packets
from densevl.data.pictures import decode_picture, header_size, read_bytes, shown

logger = logging.getLogger(__name__)

MOST_WAITING = 8  # frames decoded before their turn, because a later one was asked for first
MOST_OPEN = 2  # clips: at the end of one the next is begun


def is_clip(path: Path) -> bool:
    """Whether a file's name says that it is a clip."""
    return path.suffix.lower() in CLIP_SUFFIXES


@dataclass(eq=False)
class _Clip:
    """A clip of a run; frames are asked for mostly in order, by several threads that may overtake each other."""

    path: Path
    size: tuple[int, int] | None = None  # (H, W); None where it cannot be read
    step: int = 1
    seconds: Sequence[float] = (0.0,)  # of each wanted frame; an unreadable clip is listed once
    reader: FrameReader | None = None
    next_index: int = 0
    waiting: dict[int, np.ndarray] = field(default_factory=dict)
    sha256: str = ""

    def names(self) -> list[str]:
        """A time stamp a wanted frame, with the frame's number where two are shown within a millisecond."""
        stamps = [time_stamp(seconds) for seconds in self.seconds]
        if len(set(stamps)) == len(stamps):
            return stamps
        return [f"{stamp}-{k * self.step:06d}" for k, stamp in enumerate(stamps)]

    def frame(self, index: int) -> np.ndarray:
        """uint8 RGB [H, W, 3]; the reader goes on where it is, and keeps a few frames that it passes on its way."""
        if index in self.waiting:
            return self.waiting.pop(index)
        if self.reader is None:
            self.reader = open_frames(self.path, "pyav")  # one pass, and the frames before damage
        count = len(self.reader)
        if index >= count:
            raise clip_error(self.path, f"frame {index} is missing: the file breaks off after {count} frames")
        passed = range(self.next_index, index, self.step)
        for other in passed if len(passed) <= MOST_WAITING else ():
            self.waiting[other] = self.reader.read([other])[0]
        while len(self.waiting) > MOST_WAITING:
            del self.waiting[next(iter(self.waiting))]
        frame = self.reader.read([index])[0]
        self.next_index = max(self.next_index, index + self.step)
        return frame

    def close(self) -> None:
        """Let go of the file and of what waits."""
        if self.reader is not None:
            self.reader.close()
        self.reader, self.next_index = None, 0
        self.waiting.clear()


class FrameSource:
    """Frames of clips, and pictures (a core.stages.Source).

    A clip that cannot be opened is one item that fails; of one that is cut off, frames up to there are read and the
    others fail.

    Args:
        files: pictures and clips.
        file_names: the output name of each file.
        every: take every n-th frame of a clip; None: one a second.

    Attributes:
        paths: the file of every item.
        output_names: of every item; `match/00-01-23.400` for a frame of match.mp4.
    """

    def __init__(self, files: Sequence[Path], file_names: Sequence[str], *, every: int | None = None) -> None:
        self.every = every
        self._items: list[tuple[Path, _Clip | None, int]] = []  # file, clip, position among its wanted frames
        names: list[str] = []
        for path, name in zip(files, file_names, strict=True):
            if is_clip(path):
                clip = _scan(path, every)
                self._items += [(path, clip, k) for k in range(len(clip.seconds))]
                names += [f"{name}/{stamp}" for stamp in clip.names()]
            else:
                self._items.append((path, None, 0))
                names.append(name)
        self.paths = tuple(path for path, _, _ in self._items)
        self.output_names = tuple(names)
        self._lock = threading.Lock()
        self._open: deque[_Clip] = deque()

    def __len__(self) -> int:
        return len(self._items)

    def names(self) -> Sequence[str]:
        """The output name of every item."""
        return self.output_names

    def origin(self, index: int) -> str:
        """Where an item comes from: a file, with `#t=` seconds for a frame."""
        path, clip, position = self._items[index]
        return shown(path) if clip is None else f"{shown(path)}#t={clip.seconds[position]:.3f}"

    def size(self, index: int) -> tuple[int, int] | None:
        """(H, W) without decoding; None where it cannot be read."""
        path, clip, _ = self._items[index]
        return header_size(path) if clip is None else clip.size

    def digest(self, index: int) -> str:
        """The sha256 of a picture's file, or of a clip's and the frame's number.

        Raises:
            PictureError, ClipError: it cannot be read.
        """
        path, clip, position = self._items[index]
        if clip is None:
            return sha256_bytes(read_bytes(path))
        with self._lock, errors_of(path, "cannot be read"):
            clip.sha256 = clip.sha256 or sha256_file(path)
        return sha256_bytes(f"{clip.sha256} {position * clip.step}".encode())

    def read(self, index: int) -> tuple[np.ndarray, str]:
        """uint8 RGB [H, W, 3] and the digest.

        Raises:
            PictureError, ClipError: it cannot be decoded.
        """
        path, clip, position = self._items[index]
        if clip is None:
            data = read_bytes(path)
            return decode_picture(data, shown(path)), sha256_bytes(data)
        digest = self.digest(index)
        with self._lock:
            if clip not in self._open:
                self._open.append(clip)
            if len(self._open) > MOST_OPEN:
                self._open.popleft().close()
            return clip.frame(position * clip.step), digest

    def note(self) -> str:
        """How many frames of how many clips, for the user."""
        clips = {id(clip): clip for _, clip, _ in self._items if clip is not None}
        frames = sum(len(clip.seconds) for clip in clips.values())
        rule = f"1 in {self.every}" if self.every else "1 a second (--every N: 1 in N)"
        return f"{frames} frames of {len(clips)} clip{'s' * (len(clips) > 1)}, {rule}"


def time_stamp(seconds: float) -> str:
    """`00-01-23.400`: hours, minutes and seconds that sort as text and that any file system holds."""
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    return f"{minutes // 60:02d}-{minutes % 60:02d}-{milliseconds // 1000:02d}.{milliseconds % 1000:03d}"


def _scan(path: Path, every: int | None) -> _Clip:
    """The wanted frames of a clip, those included that the file promises and lacks."""
    try:
        scan = scan_packets(path)
    except ClipError as error:
        logger.info("%s", error)
        return _Clip(path)
    if scan.damage:
        logger.warning("%s: reading breaks off after %d frames (%s)", shown(path), len(scan.seconds), scan.damage)
    step = every or max(1, round(scan.fps))
    lacking = scan.seconds[-1] + np.arange(1, scan.lost + 1) / scan.fps
    seconds = np.concatenate([scan.seconds, lacking])[::step]
    return _Clip(path, scan.size, step, tuple(seconds.tolist()))
