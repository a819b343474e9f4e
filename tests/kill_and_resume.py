"""Kill a real run again and again, finish it, and compare with a run that nobody disturbed.

python -m tests.kill_and_resume --kills 20
"""

from __future__ import annotations

import argparse
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from PIL import Image

PICTURES = 24
_TINY_MASKS = """
import sys
import densevl.backbones
from densevl.cli.app import main
from tests.tiny import tiny_sam

densevl.backbones.load_sam = lambda name, weights: tiny_sam(seed=1)
sys.exit(main(["masks", *sys.argv[1:], "--points", "4", "--iou=-99", "--stability", "0", "--offline"]))
"""
Start = Callable[[Path, Path], "subprocess.Popen[bytes]"]


def make_pictures(folder: Path) -> None:
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(PICTURES):
        coarse = generator.integers(0, 256, (6, 8, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((160, 120), Image.Resampling.BICUBIC).save(folder / f"{number:02}.jpg")


def start(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    """`densevl segment` on the embedded model."""
    command = [sys.executable, "-m", "densevl", "segment", str(pictures), "--classes", "cat; sky; road; tree"]
    command += ["--model", "lite", "--offline", "--short-side", "160", "--save", "labels,overlay,confidence,scores"]
    return subprocess.Popen([*command, "--out", str(out)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def start_masks(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    """`densevl masks` on a tiny SAM."""
    command = [sys.executable, "-c", _TINY_MASKS, str(pictures), "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def start_evaluation(pictures: Path, out: Path) -> subprocess.Popen[bytes]:
    """`densevl eval` of the embedded model on the pictures, with annotations of two classes."""
    labels = pictures.with_name("labels")
    labels.mkdir(exist_ok=True)
    for path in pictures.glob("*.jpg"):
        with Image.open(path) as picture:
            Image.fromarray(np.asarray(picture)[..., 0] // 128).save(labels / f"{path.stem}.png")
    command = [sys.executable, "-m", "densevl", "eval", "lite", "--data", str(pictures.parent), "--offline"]
    command += ["--classes", "cat; sky", "--short-side", "160", "--set", "data.images=pictures", "--out", str(out)]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[bytes]) -> None:
    _, error = process.communicate(timeout=300)
    if process.returncode:
        raise RuntimeError(f"the run ended with {process.returncode}: {error.decode()}")


def wait_for_progress(process: subprocess.Popen[bytes], journal: Path, more_than: int) -> None:
    """Until the journal has grown, or the run has ended."""
    while process.poll() is None:
        if journal.is_file() and journal.stat().st_size > more_than:
            return
        time.sleep(0.01)


def outputs(out: Path) -> dict[str, bytes]:
    files = (path for path in sorted(out.rglob("*")) if path.is_file() and not path.name.startswith("."))
    return {
        str(path.relative_to(out)): path.read_bytes()
        for path in files
        if path.name not in ("run.json", "journal.jsonl")
    }


def kill_and_resume(folder: Path, kills: int, *, seed: int = 0, start: Start = start) -> int:
    """Returns how many kills met a run that was still at work; raises where an output differs."""
    pictures, broken, whole = folder / "pictures", folder / "broken", folder / "whole"
    make_pictures(pictures)
    finish(start(pictures, whole))
    moments, met = random.Random(seed), 0
    for _ in range(kills):
        process = start(pictures, broken)
        journal = broken / "journal.jsonl"
        wait_for_progress(process, journal, journal.stat().st_size if journal.is_file() else 0)
        time.sleep(moments.uniform(0, 0.15))
        met += process.poll() is None
        process.send_signal(signal.SIGKILL)
        process.communicate()
    finish(start(pictures, broken))
    expected, found = outputs(whole), outputs(broken)
    leftovers = sorted(set(found) - set(expected))
    if leftovers or found != expected:
        differing = [name for name in expected if found.get(name) != expected[name]]
        raise RuntimeError(f"outputs differ: {differing}; left over: {leftovers}")
    return met


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        met = kill_and_resume(Path(folder), args.kills, seed=args.seed)
    print(f"killed {args.kills} times, {met} of them at work: all outputs equal an unbroken run")


if __name__ == "__main__":
    main()
