"""The decoder seam: one door to the frames of a clip, three libraries behind it."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Literal, get_args

from densevl.core.errors import ClipError, UnknownNameError, UsageError
from densevl.data.frame_reader import FrameReader
from densevl.data.packet_scan import PacketScan, scan_packets
from densevl.data.pictures import shown

logger = logging.getLogger(__name__)

Backend = Literal["auto", "decord", "pyav", "torchcodec"]

# Names of clips as cameras, phones and editors write them; the content decides what is decoded.
CLIP_SUFFIXES = (
    *(".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".mpg", ".mpeg"),
    *(".wmv", ".flv", ".3gp", ".ogv", ".mts", ".m2ts"),
)

# Containers with an index, where decord's seeking was found right; on transport streams it returns wrong frames.
_INDEXED_CONTAINERS = {"mov", "matroska", "avi"}


def open_frames(path: str | Path, backend: Backend = "auto") -> FrameReader:
    """Open a clip.

    `auto` takes decord, which the published evaluations use, unless a scan of the packets shows that decord would be
    wrong on this clip (see `against_decord`), cannot open it, or is not installed: then PyAV. The choice is logged.

    Args:
        path: the file.
        backend: auto, or the library to decode with.

    Returns:
        A reader; close it, or use it as a context manager.

    Raises:
        ClipError: it cannot be opened; names the file, the cause and the cure.
        UsageError: the library is not installed, or there is no such backend.
    """
    if backend not in get_args(Backend):
        raise UnknownNameError("decoder", backend, get_args(Backend))
    scan = scan_packets(path)
    if backend == "auto":
        return _open_auto(path, scan)
    return _open_with(backend, path, scan)


def against_decord(scan: PacketScan) -> tuple[str, ...]:
    """Why decord cannot be trusted with a clip; empty where it can."""
    count = len(scan.seconds)
    reasons = {
        "open GOP": scan.open_gop,
        "rotation tag": scan.rotation != 0,
        f"header says {scan.header_count} frames, packets {count}": scan.header_count not in (0, count),
        f"packets end in '{scan.damage}'": bool(scan.damage),
        f"container {scan.container}": scan.container.split(",")[0] not in _INDEXED_CONTAINERS,
    }
    return tuple(reason for reason, holds in reasons.items() if holds)


def _open_auto(path: str | Path, scan: PacketScan) -> FrameReader:
    from densevl.data.frames_indexed import DecordOrPyAVFrames
    from densevl.data.frames_pyav import PyAVFrames

    reasons = against_decord(scan)
    if not reasons:
        try:
            reader = DecordOrPyAVFrames(path, scan)
        except (UsageError, ClipError) as error:
            reasons = (str(error),)
        else:
            logger.info("%s: decoded by decord", shown(path))
            return reader
    logger.info("%s: decoded by PyAV (%s)", shown(path), "; ".join(reasons))
    return PyAVFrames(path, scan)


def _open_with(backend: str, path: str | Path, scan: PacketScan) -> FrameReader:
    from densevl.data.frames_indexed import DecordFrames, TorchcodecFrames
    from densevl.data.frames_pyav import PyAVFrames

    readers: dict[str, type[FrameReader]] = {
        "decord": DecordFrames,
        "pyav": PyAVFrames,
        "torchcodec": TorchcodecFrames,
    }
    return readers[backend](path, scan)
