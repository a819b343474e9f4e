"""A run without a model: pictures made from their position, labels that depend on the whole group.

`python -m tests.densevl.engine.fakes OUT` runs it slowly, to be killed.
"""

from __future__ import annotations

import sys
import threading
import time
import weakref
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from densevl.core.errors import PictureError
from densevl.core.files import sha256_bytes
from densevl.core.structures import Segmentation
from densevl.engine import Journal, Pipeline, RunCount, fixed_groups

SIDE = 8


@dataclass
class FakeSource:
    """Pictures whose pixels tell their position; knows how many of them are alive."""

    count: int
    broken: frozenset[int] = frozenset()
    reads: list[int] = field(default_factory=list)
    most_alive: int = 0
    _alive: set[int] = field(default_factory=set)
    _guard: threading.RLock = field(default_factory=threading.RLock)

    def __len__(self) -> int:
        return self.count

    def names(self) -> Sequence[str]:
        return [f"sub{index % 3}/p{index:03d}" for index in range(self.count)]

    def draw(self, index: int) -> np.ndarray:
        if index in self.broken:
            raise PictureError(f"p{index:03d}.png is cut off: make it again")
        return np.random.default_rng(index).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)

    def digest(self, index: int) -> str:
        return sha256_bytes(self.draw(index).tobytes())

    def read(self, index: int) -> tuple[np.ndarray, str]:
        picture = self.draw(index)
        digest = sha256_bytes(picture.tobytes())
        with self._guard:
            self.reads.append(index)
            self._alive.add(index)
            self.most_alive = max(self.most_alive, len(self._alive))
        weakref.finalize(picture, self._forget, index)
        return picture, digest

    def _forget(self, index: int) -> None:
        with self._guard:
            self._alive.discard(index)


def infer(pictures: list[np.ndarray]) -> list[Segmentation]:
    """Labels that change with the company of a picture, as the last bits of a batched forward pass may."""
    company = sum(int(picture.sum()) for picture in pictures)
    return [segment(picture, company) for picture in pictures]


def segment(picture: np.ndarray, company: int) -> Segmentation:
    labels = ((picture[..., 0].astype(np.int64) + company) % 7).astype(np.uint8)
    flat = np.zeros(labels.shape, np.float32)
    return Segmentation(labels, flat, flat, tuple("abcdefg"))


@dataclass(frozen=True)
class RawWriter:
    """Label maps as bare bytes."""

    kind: str = "labels"

    def path(self, name: str) -> str:
        return f"{self.kind}/{name}.raw"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        return self.kind.encode() + result.label_map.tobytes()


def run(out: Path, source: FakeSource, group_size: int = 4, **changes: Any) -> RunCount:
    """A whole run; `progress` and every field of Pipeline may be changed."""
    progress: Callable[[int], object] = changes.pop("progress", lambda count: None)
    with Journal(out / "journal.jsonl") as journal:
        fields: dict[str, Any] = {
            "source": source,
            "infer": infer,
            "writers": (RawWriter(), RawWriter("overlay")),
            "journal": journal,
            "settings": "s1",
            "row": lambda index, result: {"index": index, "pixels": result.pixel_counts.tolist()},
            "workers": 2,
        }
        pipeline = Pipeline(**(fields | changes))
        return pipeline.run(fixed_groups(len(source), group_size), progress)


def tree(out: Path) -> dict[str, bytes]:
    """Every output file with its bytes."""
    files = (path for path in out.rglob("*.raw"))
    return {path.relative_to(out).as_posix(): path.read_bytes() for path in files}


def slow_infer(pictures: list[np.ndarray]) -> list[Segmentation]:
    time.sleep(0.02)
    return infer(pictures)


if __name__ == "__main__":
    print(run(Path(sys.argv[1]), FakeSource(int(sys.argv[2])), infer=slow_infer).done)
