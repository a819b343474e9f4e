"""Test clips made by PyAV: the upper half of every frame is a bar code of its number, a square moves in the lower."""

from __future__ import annotations

import struct
from collections.abc import Mapping, Sequence
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

BITS = 12
TICKS = 600  # a second: 24, 25, 30 and 60 frames a second are whole numbers of ticks


def numbered_frame(number: int, size: tuple[int, int] = (120, 160)) -> np.ndarray:
    """uint8 RGB [H, W, 3] of a frame with its number as BITS bars, most significant first."""
    height, width = size
    frame = np.full((height, width, 3), (90, 120, 150), dtype=np.uint8)
    bits = [number >> (BITS - 1 - k) & 1 for k in range(BITS)]
    frame[: height // 2] = np.array([30, 225], dtype=np.uint8)[np.array(bits)[_bar_of(width)]][None, :, None]
    left = number * 3 % max(1, width - 20)
    frame[height * 5 // 8 : height * 7 // 8, left : left + 20] = (200, 60, 40)
    return frame


def number_of(frame: np.ndarray) -> int:
    """The number drawn into a frame [H, W, 3]; raises where a bar is neither dark nor bright."""
    height, width = frame.shape[:2]
    grey = frame[height // 8 : height * 3 // 8].mean(axis=(0, 2))
    levels = [float(np.median(grey[_bar_of(width) == k])) for k in range(BITS)]
    if any(70 < level < 185 for level in levels):
        raise ValueError(f"no bar code in this frame: levels {levels}")
    return sum((level > 128) << (BITS - 1 - k) for k, level in enumerate(levels))


def _bar_of(width: int) -> np.ndarray:
    return np.minimum(np.arange(width) * BITS // width, BITS - 1)


def make_clip(
    path: Path,
    *,
    frames: int = 60,
    size: tuple[int, int] = (120, 160),
    codec: str = "libx264",
    pix_fmt: str = "yuv420p",
    times: Sequence[int] | None = None,
    **codec_options: str | int,
) -> Path:
    """Write a clip; the suffix of the path chooses the container.

    Args:
        path: the file.
        frames: how many; 0 with `times` None writes none.
        size: (H, W), as coded.
        codec: encoder.
        pix_fmt: its pixel format.
        times: ticks (1/600 s) of each frame; 30 frames a second if None.
        codec_options: options of the encoder such as g=12, bf=2, x264_params="open-gop=1", and `rotation` in degrees
            counter-clockwise, a tag that players obey.
    """
    rotation = int(codec_options.pop("rotation", 0))
    options = {key.replace("_", "-"): str(value) for key, value in codec_options.items()}
    times = range(0, frames * TICKS // 30, TICKS // 30) if times is None else times
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=30, options=_fast(codec) | options)
        stream.height, stream.width = size
        stream.pix_fmt = pix_fmt
        stream.codec_context.time_base = Fraction(1, 30) if codec.startswith("mpeg") else Fraction(1, TICKS)
        stream.codec_context.thread_count = 1
        for number, ticks in enumerate(times):
            frame = av.VideoFrame.from_ndarray(numbered_frame(number, size), format="rgb24")
            frame.time_base = stream.codec_context.time_base
            frame.pts = round(Fraction(ticks, TICKS) / frame.time_base)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    if rotation:
        _tag_rotation(path, rotation)
    return path


def _tag_rotation(path: Path, degrees: int) -> None:
    """Write the matrix [a b u; c d v; x y w] of an mp4's track header: how players turn what was coded."""
    data = bytearray(path.read_bytes())
    place = data.index(b"tkhd") + 4 + 40
    cos, sin = (round(function(np.radians(-degrees)) * 65536) for function in (np.cos, np.sin))
    data[place : place + 36] = struct.pack(">9i", cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30)
    path.write_bytes(data)


def make_sound(path: Path) -> Path:
    """A file with half a second of tone and no picture."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("aac", rate=16000, layout="mono")
        tone = (np.sin(np.arange(1024) / 6) * 8000).astype(np.int16)[None]
        for block in range(8):
            frame = av.AudioFrame.from_ndarray(tone, format="s16", layout="mono")
            frame.sample_rate, frame.pts = 16000, block * 1024
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _fast(codec: str) -> Mapping[str, str]:
    if codec in ("libx264", "libx265"):
        return {"preset": "ultrafast", "bf": "2", "g": "12"} | (
            {"x265-params": "log-level=none"} if "5" in codec else {}
        )
    return {"cpu-used": "8", "deadline": "realtime", "g": "12"} if codec.startswith("libvpx") else {"g": "12"}


def sample_clips(folder: Path) -> dict[str, Path]:
    """One clip for each thing that decoders get wrong; 60 frames each but for `one` and `long`."""
    makers: dict[str, dict[str, object]] = {
        "plain.mp4": {},
        "open gop.mp4": {"x264_params": "open-gop=1:scenecut=0"},
        "turned.mp4": {"rotation": -90},
        "upside down.mp4": {"rotation": 180},
        "hevc.mp4": {"codec": "libx265"},
        "ten bit.mp4": {"codec": "libx265", "pix_fmt": "yuv420p10le"},
        "vp9.webm": {"codec": "libvpx-vp9"},
        "mpeg4.avi": {"codec": "mpeg4"},
        "odd.mp4": {"pix_fmt": "yuv444p", "size": (121, 161)},
        "varying rate.mp4": {"times": [20 * k + 4 * (k % 3) for k in range(60)]},
        "late start.mkv": {"times": range(1800, 3000, 20)},
        "transport.m2ts": {},
        "sparse keys.mp4": {"g": 250},
        "one.mp4": {"frames": 1},
        "long.mp4": {"frames": 1500, "g": 250},
    }
    return {name: make_clip(folder / name, **options) for name, options in makers.items()}
