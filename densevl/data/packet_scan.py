"""What a clip's packets say about its frames: how many, when, and whether a reader that seeks can be trusted with it.

One pass over the file; of the pictures only the first is decoded, since the rotation tag travels with it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from densevl.core.errors import ClipError
from densevl.data.pictures import shown

if TYPE_CHECKING:
    from av import VideoFrame
    from av.container import InputContainer
    from av.video.stream import VideoStream

_CONTAINERS = "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,mpegvideo,m4v,flv,asf,ogg"
_MATROSKA_SLACK = 5  # frames; its length counts from another frame, and rates vary
_RATE_ROUNDING = 0.02  # a clip of a few frames in milliseconds is off by this much


@dataclass(frozen=True)
class PacketScan:
    """A clip without its pictures.

    Attributes:
        container: FFmpeg's name of the container format, such as `mov,mp4,m4a,3gp,3g2,mj2`.
        coded_size: (H, W) of the pictures as they are coded.
        rotation: degrees counter-clockwise that turn a coded picture upright: 0, 90, 180 or 270.
        fps: frames a second, the mean where they vary.
        seconds: [n] float64, when each frame is shown, ascending, from the first frame on.
        header_count: how many frames the header promises; 0 where it says nothing.
        lost: frames that the index of an mp4, the header of an avi or the length of a Matroska file promise and the
            file does not hold.
        open_gop: a frame after a keyframe is shown before it, so decoding cannot start at that keyframe.
        damage: what broke off the reading of packets; empty where the file was read to its end.
    """

    container: str
    coded_size: tuple[int, int]
    rotation: int
    fps: float
    seconds: np.ndarray
    header_count: int
    lost: int
    open_gop: bool
    damage: str

    @property
    def size(self) -> tuple[int, int]:
        """(H, W) of the upright picture."""
        height, width = self.coded_size
        return (width, height) if self.rotation % 180 else (height, width)

    @property
    def cut(self) -> str:
        """How much of a clip that breaks off is there, in words; empty where all of it is."""
        count = len(self.seconds)
        if self.lost:
            return f"cut off: {count} of {count + self.lost} frames"
        return f"cut off after {count} frames ({self.damage})" if self.damage else ""


@dataclass(frozen=True)
class _Packets:
    """pts of the packets that hold a shown frame, in decoding order, whether each starts anew, how many are unseen.

    `last_time` is the greatest of their times, -1 where they have none.
    """

    pts: list[int | None]
    keys: list[bool]
    last_time: int
    unseen: int
    damage: str

    def leading(self) -> list[int]:
        """Positions of packets shown before the keyframe they follow."""
        found, key_pts = [], None
        for position, (pts, is_key) in enumerate(zip(self.pts, self.keys, strict=True)):
            if is_key:
                key_pts = pts
            elif pts is not None and key_pts is not None and pts < key_pts:
                found.append(position)
        return found


def clip_error(path: str | Path, reason: str) -> ClipError:
    """A ClipError that starts with the file's name."""
    return ClipError(f"{shown(path)}: {reason}", path=os.fspath(path))


@contextmanager
def errors_of(path: str | Path, doing: str) -> Iterator[None]:
    """Whatever a decoder raises becomes a ClipError; they raise RuntimeError, ValueError, IndexError and their own."""
    try:
        yield
    except (ClipError, MemoryError):
        raise
    except Exception as error:
        lines = str(getattr(error, "strerror", None) or error).strip().splitlines() or [type(error).__name__]
        raise clip_error(path, f"{doing} ({lines[-1]}); copy it anew from where it came, or remove it") from error


def scan_packets(path: str | Path) -> PacketScan:
    """Read a clip's packets.

    Raises:
        ClipError: absent, not readable, no clip, without pictures, or nothing of it can be decoded.
    """
    _refuse_what_is_no_file(path)
    with errors_of(path, "not a clip that can be read, or cut off before its index"), open_container(path) as container:
        stream = pictures_of(container, path)
        packets, first = _walk(container, stream)
        leading = packets.leading()
        # cut out of a longer clip: what leans on the lost part is never shown
        is_cut = not all(packets.keys[:1]) or 1 in leading
        pts = _decoded_pts(path) if is_cut else packets.pts
        if not pts:
            raise clip_error(path, "holds no frames that can be decoded; copy it anew from where it came, or remove it")
        stated_rate = float(stream.average_rate or stream.guessed_rate or 25)
        seconds = _seconds(pts, time_base=float(stream.time_base), rate=stated_rate)
        fps = _rate(seconds, stated_rate)
        return PacketScan(
            container=container.format.name,
            coded_size=(first.height, first.width) if first else (stream.height, stream.width),
            rotation=round(first.rotation / 90) * 90 % 360 if first else 0,
            fps=fps,
            seconds=seconds,
            header_count=stream.frames,
            lost=max(0, _lost(container, stream, packets, fps)),
            open_gop=bool(leading),
            damage=packets.damage,
        )


def _lost(container: InputContainer, stream: VideoStream, packets: _Packets, fps: float) -> int:
    """Frames that are promised and not there; 0 or less where all are."""
    kind = container.format.name.split(",")[0]
    if kind == "mov":
        return stream.frames - len(packets.pts) - packets.unseen
    if packets.last_time < 0:
        return 0
    if kind == "avi":  # its header counts places, times count them too, and a frame may take several
        empty = stream.frames - packets.last_time - 1
        return int(empty * min(1.0, len(packets.pts) / (packets.last_time + 1)))
    if kind == "matroska":
        lacking = _promised_seconds(container, stream) - packets.last_time * float(stream.time_base)
        return round(lacking * fps) - 1 if lacking * fps > _MATROSKA_SLACK else 0
    return 0


def _promised_seconds(container: InputContainer, stream: VideoStream) -> float:
    """What a Matroska file and its stream of pictures both promise: sound may last longer, a copied tag be stale."""
    found = re.fullmatch(r"(\d+):(\d+):(\d+\.\d+)", stream.metadata.get("DURATION", ""))
    if found is None or container.duration is None:
        return 0.0
    hours, minutes, seconds = map(float, found.groups())
    return min(hours * 3600 + minutes * 60 + seconds, container.duration / 1e6)


def _seconds(pts: Sequence[int | None], *, time_base: float, rate: float) -> np.ndarray:
    """When frames are shown, from the first on; evenly spaced where they have no times of their own."""
    known = np.unique([value for value in pts if value is not None])
    if len(known) != len(pts):
        return np.arange(len(pts)) / rate
    return (known - known[0]) * time_base


def _rate(seconds: np.ndarray, stated: float) -> float:
    """The header's frames a second, unless the times show others by more than their rounding."""
    if len(seconds) < 2:
        return stated
    shown_rate = float((len(seconds) - 1) / seconds[-1])
    return stated if abs(stated / shown_rate - 1) < _RATE_ROUNDING else shown_rate


def open_container(path: str | Path) -> InputContainer:
    """A clip by PyAV. What would open other files in turn (playlists, lists to concatenate) is no clip."""
    import av

    options = {"format_whitelist": _CONTAINERS}
    return av.open("file:" + os.fspath(path), options=options, metadata_errors="replace")


def pictures_of(container: InputContainer, path: str | Path) -> VideoStream:
    """The stream of pictures, decoded by one thread: many clips at a time are the caller's affair.

    Raises:
        ClipError: there is none.
    """
    from av.stream import Disposition

    stream = container.streams.best("video")
    if stream is None or Disposition.attached_pic in stream.disposition:  # a cover is no clip
        kinds = ", ".join(sorted({stream.type for stream in container.streams} - {"video"})) or "nothing"
        raise clip_error(path, f"has no moving pictures, only {kinds}; remove it from the list")
    stream.codec_context.thread_count = 1
    return stream


def _refuse_what_is_no_file(path: str | Path) -> None:
    try:
        if not Path(path).is_file():
            what = "there is no such file" if not os.path.exists(path) else "is no file that can be decoded"
            raise clip_error(path, f"{what}; check the path or take it off the list")
        with open(path, "rb") as file:
            if not file.read(1):
                raise clip_error(path, "the file is empty (0 bytes); copy it anew from where it came")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        raise clip_error(path, f"cannot be read ({error}); change its rights, or copy it anew") from error


def _walk(container: InputContainer, stream: VideoStream) -> tuple[_Packets, VideoFrame | None]:
    """All packets, and the first picture where it can be decoded."""
    import av

    pts: list[int | None] = []
    keys: list[bool] = []
    unseen, last_time = 0, -1
    first, damage, decoding = None, "", True
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets, None)
        except av.FFmpegError as error:
            damage = str(error)
            break
        if packet is None:
            break
        if packet.size and not packet.is_discard:
            pts.append(packet.pts)
            keys.append(packet.is_keyframe)
            last_time = max(last_time, *(time for time in (packet.dts, packet.pts) if time is not None), -1)
        unseen += packet.is_discard
        if decoding:
            try:
                first = next(iter(packet.decode()), None)
            except av.FFmpegError:
                first, decoding = None, False
            decoding = decoding and first is None
    return _Packets(pts, keys, last_time, unseen, damage), first


def _decoded_pts(path: str | Path) -> list[int | None]:
    """The pts of the frames that decoding gives, up to damage."""
    import av

    pts = []
    with open_container(path) as container, suppress(av.FFmpegError):
        for frame in container.decode(pictures_of(container, path)):
            pts.append(frame.pts)
    return pts
