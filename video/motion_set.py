"""Two small sets of clips that tell models apart; rendered in seconds from pictures of installed packages.

- `appearance`: what is seen decides. Eight patterns on a ball; every movement is drawn without regard to the class, so
  one frame, or frames in any order, suffice.
- `order`: only the order of the frames decides. Clips 2k and 2k + 1 hold the same frames, one forwards and one
  backwards, and are of opposite classes: a model that does not see order gets at most one of the two right, so half.

Pictures for testing are never pictures for training. Augmentation by flipping changes the labels of `order`.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import av
import numpy as np
from tqdm import tqdm

from densevl.core.errors import EXIT_DONE, DensevlError, OutputError, UnknownNameError, UsageError
from densevl.core.files import write_atomic
from video.motion_frames import PATTERNS, SIDE, Split, load_pictures, render_ball, render_motion

CLASS_NAMES = {
    "appearance": tuple(f"{pattern} ball" for pattern in PATTERNS),
    "order": (
        *("panning left", "panning right", "panning up", "panning down"),
        *("zooming in", "zooming out", "rotating clockwise", "rotating counterclockwise"),
    ),
}
_SPLITS: tuple[Split, ...] = ("train", "test")
_RATE = 12  # frames a second
# x264's macroblock tree reads memory that differs from run to run: without it equal frames give equal files
_ENCODER = {"crf": "18", "preset": "fast", "x264-params": "mbtree=0"}


def render_clip(kind: str, split: Split, index: int, *, seed: int = 0) -> tuple[np.ndarray, int]:
    """One clip before it is encoded; classes take turns.

    Args:
        kind: appearance or order.
        split: train or test.
        index: number of the clip in its split.
        seed: of the set.

    Returns:
        [T, H, W, 3] uint8 RGB, and the label.

    Raises:
        UnknownNameError: no such kind.
        DataError: pictures are missing.
    """
    if kind not in CLASS_NAMES:
        raise UnknownNameError("motion set", kind, CLASS_NAMES)
    if kind == "appearance":
        label = index % len(PATTERNS)
        rng = np.random.default_rng([seed, _SPLITS.index(split), index])
        return render_ball(list(PATTERNS)[label], split, rng), label
    pair, backwards = divmod(index, 2)
    family = pair % 4
    frames = render_motion(family, split, np.random.default_rng([seed, _SPLITS.index(split), pair]))
    return frames[:: -1 if backwards else 1], 2 * family + backwards


def write_motion_set(folder: Path, kind: str, *, clips: Sequence[int] = (400, 160), seed: int = 0) -> None:
    """Write `train/*.mp4`, `test/*.mp4`, the lists `train.txt` and `test.txt`, and `classes.csv`.

    Args:
        folder: a new or empty folder.
        kind: appearance or order.
        clips: how many for training and for testing.
        seed: of the set.

    Raises:
        UnknownNameError: no such kind.
        UsageError: fewer than one clip, or half a pair.
        OutputError: the folder holds files, or cannot be written.
        DataError: pictures are missing.
    """
    if kind not in CLASS_NAMES:
        raise UnknownNameError("motion set", kind, CLASS_NAMES)
    if min(clips) < 1 or (kind == "order" and any(count % 2 for count in clips)):
        rule = "an even number, since they come in pairs" if kind == "order" else "1 or more"
        raise UsageError(f"expected {rule}, got {clips[0]} clips for training and {clips[1]} for testing")
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"{folder} holds something already; choose a new folder")
    rows = "".join(f"{label},{name}\n" for label, name in enumerate(CLASS_NAMES[kind]))
    write_atomic(folder / "classes.csv", f"id,name\n{rows}".encode())
    for split, count in zip(_SPLITS, clips, strict=True):
        load_pictures(split)  # once, before the threads ask for them
        (folder / split).mkdir()
        write = partial(_write_numbered, folder, kind, split, seed)
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            named = f"{kind} {split}"
            lines = list(tqdm(pool.map(write, range(count)), desc=named, total=count, unit="clip", disable=None))
        write_atomic(folder / f"{split}.txt", "".join(lines).encode())


def _write_numbered(folder: Path, kind: str, split: Split, seed: int, index: int) -> str:
    """Write a clip; returns its line of the list."""
    frames, label = render_clip(kind, split, index, seed=seed)
    name = f"{split}/{index:05d}.mp4"
    _encode(folder / name, frames)
    return f"{name} {label}\n"


def _encode(path: Path, frames: np.ndarray) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=_RATE, options=_ENCODER)
        stream.height, stream.width, stream.pix_fmt = SIDE, SIDE, "yuv420p"
        stream.codec_context.thread_count = 1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode(None))


def main(argv: Sequence[str] | None = None) -> int:
    """`make_motion_set.py OUT`: both sets, or one.

    Returns:
        The exit code, as in `densevl`.
    """
    parser = argparse.ArgumentParser(prog="make_motion_set", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("out", type=Path, metavar="OUT", help="a new folder; each set is a folder in it")
    parser.add_argument("--kind", choices=list(CLASS_NAMES), help="one of the sets; both if absent")
    parser.add_argument(
        "--clips", type=int, nargs=2, metavar=("TRAIN", "TEST"), default=(400, 160), help="how many (400 160)"
    )
    parser.add_argument("--seed", type=int, default=0, help="other numbers give other clips (0)")
    args = parser.parse_args(argv)
    try:
        for kind in [args.kind] if args.kind else CLASS_NAMES:
            write_motion_set(args.out / kind, kind, clips=args.clips, seed=args.seed)
    except DensevlError as error:
        parser.exit(error.exit_code, f"densevl: {error}\n")
    return EXIT_DONE
