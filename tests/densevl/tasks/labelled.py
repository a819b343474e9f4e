"""A data set in memory: coarse pictures and annotations drawn from their place, whole or spoiled; and a tiny model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from densevl.core.errors import PictureError
from densevl.core.files import sha256_bytes
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.tasks import Geometry, Segmenter
from densevl.tasks.evaluation import EvaluationOptions, EvaluationRun
from densevl.tasks.protocol import Protocol
from densevl.vocab import parse_classes
from tests.tiny import tiny_clip

NAMES = ("cat", "sky", "road")
IGNORED = 255
SHORT_SIDE = 48


@dataclass
class MemorySet:
    """A LabelledSet of `count` pictures; those in `broken` cannot be read, those in `crooked` have another size."""

    count: int = 7
    broken: frozenset[int] = frozenset()
    crooked: frozenset[int] = frozenset()
    version: int = 0
    reads: list[int] = field(default_factory=list)
    name: str = "memory"
    class_names: tuple[str, ...] = NAMES
    ignore_index: int = IGNORED

    def __len__(self) -> int:
        return self.count

    def names(self) -> Sequence[str]:
        return [f"part{index % 2}/{index:03}" for index in range(self.count)]

    def origin(self, index: int) -> str:
        return f"{self.names()[index]}.png"

    def digests(self, index: int) -> tuple[str, str]:
        picture = self._blocks(index, 256).astype(np.uint8)
        return sha256_bytes(picture.tobytes() + bytes([self.version])), sha256_bytes(self._label(index).tobytes())

    def read(self, index: int) -> tuple[np.ndarray, str]:
        if index in self.broken:
            raise PictureError(f"{self.origin(index)} is cut off: make it again")
        self.reads.append(index)
        return self._blocks(index, 256).astype(np.uint8), self.digests(index)[0]

    def read_labels(self, index: int) -> tuple[np.ndarray, str]:
        return self._label(index)[: -1 if index in self.crooked else None], self.digests(index)[1]

    def _label(self, index: int) -> np.ndarray:
        label = self._blocks(index + 1000, len(NAMES) + 1)[..., 0].astype(np.uint8)
        label[label == len(NAMES)] = IGNORED
        return label

    def _blocks(self, seed: int, values: int) -> np.ndarray:
        generator = np.random.default_rng(seed)
        coarse = generator.integers(0, values, (6, 8 + seed % 2, 3))
        return coarse.repeat(8, axis=0).repeat(8, axis=1)


def tiny_segmenter(logit_scale: float = 100.0) -> Segmenter:
    """A segmenter of random weights."""
    clip_model = tiny_clip()
    head, geometry = CosineHead(logit_scale=logit_scale), Geometry(short_side=SHORT_SIDE)
    segmenter = Segmenter(MaskCLIPExtractor(clip_model), clip_model, head=head, geometry=geometry)
    segmenter.name = "tiny"
    return segmenter


def tiny_config(**data: Any) -> dict[str, Any]:
    """What the card is told of it."""
    geometry = {"type": "densevl.tasks.Geometry", "short_side": SHORT_SIDE}
    return {"model": {"type": "densevl.tasks.Segmenter", "geometry": geometry}, "data": {"name": "memory", **data}}


def evaluation(
    segmenter: Segmenter, dataset: MemorySet, *, words: str = "; ".join(NAMES), threshold: float = 0.0, **options: Any
) -> EvaluationRun:
    """An evaluation of it."""
    protocol = Protocol(parse_classes(words), threshold)
    return EvaluationRun(segmenter, dataset, protocol, config=tiny_config(), options=EvaluationOptions(**options))
