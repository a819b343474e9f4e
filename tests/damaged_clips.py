"""Damaged clips and what each decoder makes of them; `python -m tests.damaged_clips` prints the table of the docs."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path

import av
import numpy as np

from densevl.core.errors import ClipError, UsageError
from densevl.data.frames import open_frames
from tests.clips import make_clip, make_sound, number_of

BACKENDS = ("auto", "pyav", "decord", "torchcodec")
FRAMES = 60


def remux(
    source: Path,
    target: Path,
    *,
    first_key: int = 0,
    discard: Iterable[int] = (),
    options: dict[str, str] | None = None,
) -> Path:
    """Copy packets without decoding.

    Args:
        source: a clip.
        target: its copy; the suffix chooses the container.
        first_key: the keyframe that the copy starts at.
        discard: positions of packets that are left out.
        options: of the container.
    """
    with av.open(str(source)) as old, av.open(str(target), "w", options=options or {}) as new:
        stream = new.add_stream_from_template(old.streams.video[0])
        key = -1
        for position, packet in enumerate(packet for packet in old.demux(video=0) if packet.size):
            key += packet.is_keyframe
            if key >= first_key and position not in discard:
                packet.stream = stream
                new.mux(packet)
    return target


# In these files nothing says that something is wrong: every decoder gives wrong frames without an error.
UNNOTICED = ("3 bytes flipped (HEVC in mkv)", "three packets lost (mkv)")


def damaged_clips(folder: Path) -> dict[str, Path]:
    """Each kind of damage as a file; of 60 frames where frames are left."""
    whole = make_clip(folder / "whole.mp4", crf=5)
    first = remux(whole, folder / "index first.mp4", options={"movflags": "faststart"})
    open_gop = make_clip(folder / "open gop.mp4", x264_params="open-gop=1:scenecut=0")
    data, front = whole.read_bytes(), first.read_bytes()
    noise = np.random.default_rng(0).bytes(20_000)
    contents: dict[str, bytes] = {
        "cut at 60 %, index at the end": data[: len(data) * 6 // 10],
        "cut at 60 %, index first": front[: len(front) * 6 // 10],
        "cut at 60 %, no index needed (mkv)": _front(remux(whole, folder / "whole.mkv"), 0.6),
        "200 bytes flipped": _flipped(front, 200),
        "3 bytes flipped (mkv)": _flipped(make_clip(folder / "h264.mkv").read_bytes(), 3),
        "3 bytes flipped (HEVC in mkv)": _flipped(make_clip(folder / "hevc.mkv", codec="libx265").read_bytes(), 3),
        "random bytes": noise,
        "a web page": b"<!doctype html><title>404 Not Found</title><p>This clip is gone.</p>" * 20,
        "0 bytes": b"",
        "a header without frames": _front(make_clip(folder / "empty.mkv", frames=1), 0.1),
    }
    files = {"whole": whole}
    for name, content in contents.items():
        suffix = "mkv" if "mkv" in name or "header" in name else "mp4"
        files[name] = folder / f"case {len(files)}.{suffix}"
        files[name].write_bytes(content)
    files["sound only"] = make_sound(folder / "sound.mp4")
    files["begins inside an open GOP"] = remux(open_gop, folder / "inside.mkv", first_key=1)
    files["three packets lost (mkv)"] = remux(whole, folder / "lost.mkv", discard=(30, 31, 32))
    return files


def outcome(path: Path, backend: str) -> str:
    """What a reader gives when all frames are asked for one after the other."""
    numbers: list[int] = []
    wrong = 0  # frames that do not show what their time says
    try:
        with open_frames(path, backend) as reader:
            promised = len(reader)
            for index, frame in reader.every(1):
                numbers.append(number_of(frame))
                wrong += numbers[-1] != numbers[0] + round(reader.seconds(index) * 30)
    except ClipError as error:
        if not numbers:
            return "refused"
        return (
            f"{_judged(len(numbers), wrong)}, then ClipError"
            if str(path) in str(error)
            else "an error without the path"
        )
    except UsageError:
        return "not installed"
    except ValueError:
        return f"{_judged(len(numbers), wrong)}, then a **broken frame without an error**"
    return _judged(len(numbers), wrong) if len(numbers) == promised else "**fewer frames than promised**"


def table(cases: dict[str, Path], outcome_of: Callable[[Path, str], str] = outcome) -> str:
    """The outcomes as markdown."""
    lines = ["| file | " + " | ".join(BACKENDS) + " |", "|---" * (len(BACKENDS) + 1) + "|"]
    lines += [
        f"| {name} | " + " | ".join(outcome_of(path, backend) for backend in BACKENDS) + " |"
        for name, path in cases.items()
    ]
    return "\n".join(lines)


def _judged(count: int, wrong: int) -> str:
    return f"{count} frames, **{wrong} wrong**" if wrong else f"{count} frames right"


def _front(path: Path, share: float) -> bytes:
    data = path.read_bytes()
    return data[: int(len(data) * share)]


def _flipped(data: bytes, count: int) -> bytes:
    """Bytes between the middle and the end, where the pictures are, turned over."""
    damaged = bytearray(data)
    places = np.random.default_rng(1).choice(np.arange(len(data) // 2, len(data) * 3 // 4), count, replace=False)
    for place in places.tolist():
        damaged[place] ^= 0xFF
    return bytes(damaged)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        print(table(damaged_clips(Path(folder))))
