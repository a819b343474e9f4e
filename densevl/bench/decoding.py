"""Eight frames of a clip, each decoded once and only these converted, against decoding the whole clip."""

from __future__ import annotations

import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from densevl.bench.scenario import Scenario

_FRAMES, _WANTED = 300, 8  # ten seconds, as Kinetics has them
_SIZE = (256, 340)  # (H, W) of its usual resized copies
_KEYS = 60  # a keyframe each two seconds


@dataclass(frozen=True)
class Clip:
    """A clip in a folder that goes with it."""

    folder: tempfile.TemporaryDirectory[str]
    path: Path


def scenarios() -> list[Scenario]:
    """8 frames of 300: the middles of equal parts."""
    return [
        Scenario(
            name="decode-8-of-300",
            prepare=make_clip,
            ours=decode_wanted,
            reference=decode_all,
            compare=compare_frames,
            quick=False,
        ),
    ]


def wanted() -> list[int]:
    """The middle of each of 8 equal parts."""
    return [(2 * k + 1) * _FRAMES // (2 * _WANTED) for k in range(_WANTED)]


def make_clip() -> Clip:
    """A picture of soft blobs and grain that moves, H.264."""
    import av
    import cv2

    folder = tempfile.TemporaryDirectory(prefix="densevl-")
    path = Path(folder.name) / "clip.mp4"
    generator = np.random.default_rng(0)
    height, width = _SIZE
    blobs = cv2.resize(generator.integers(0, 256, (16, 20, 3)).astype(np.uint8), (width, height))
    still = cv2.addWeighted(blobs, 0.9, generator.integers(0, 256, (height, width, 3)).astype(np.uint8), 0.1, 0)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=30, options={"g": str(_KEYS), "preset": "veryfast"})
        stream.height, stream.width, stream.pix_fmt = height, width, "yuv420p"
        for k in range(_FRAMES):
            frame = np.roll(still, (k, 2 * k), axis=(0, 1))
            container.mux(stream.encode(av.VideoFrame.from_ndarray(frame, format="rgb24")))
        container.mux(stream.encode(None))
    return Clip(folder, path)


def decode_wanted(clip: Clip) -> np.ndarray:
    """[8, H, W, 3] by the decoder that `auto` chooses, opening and scanning included."""
    from densevl.data import open_frames

    with open_frames(clip.path) as reader:
        return reader.read(wanted())


def decode_all(clip: Clip) -> np.ndarray:
    """[8, H, W, 3] out of all frames as arrays, the way of loaders without random access."""
    import av

    with av.open(str(clip.path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    return np.stack(frames)[wanted()]


def compare_frames(clip: Clip, ours: np.ndarray, reference: np.ndarray) -> tuple[bool, float]:
    """The same pixels; two decoders may round YUV to RGB by one step otherwise."""
    largest = float(np.abs(ours.astype(np.int16) - reference).max())
    return largest <= 1, largest
