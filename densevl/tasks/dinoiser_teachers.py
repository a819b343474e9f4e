"""What CLIP-DINOiser's teachers say of a batch, asked once: answers may be kept on disk, a bit each."""

from __future__ import annotations

import hashlib
import io
import zipfile
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from densevl.backbones import DINOBackbone
from densevl.core.errors import ConfigError
from densevl.core.files import write_atomic
from densevl.ops.affinity import cosine_affinity
from densevl.refiners import FoundTeacher
from densevl.weights import hash_module

OBJECT_PROBABILITY = 0.5  # FOUND's patches above it are objects

Targets = tuple[Tensor, Tensor]


class DINOiserTeachers(nn.Module):
    """Pixels [B, 3, H, W] -> 1 where two patches belong together [B, N, N], and where one shows an object [B, 1, h, w].

    Args:
        dino: tells which patches belong together.
        found: tells which patches show an object.
        kind: which of DINO's last-block features are compared: q, k or v.
        threshold: cosines of DINO below it are no pair (the published gamma).
        cache: folder where answers are kept, a file a crop, by its pixels and the teachers' weights: another run with
            the same seed (other rates, other batches) then asks no teacher. A crop of 448 pixels takes 77 kB. None
            keeps nothing.
        cache_bytes: answers are added up to here; the first ones stay, as the next run asks for them first.

    Source: Wysoczanska et al., "CLIP-DINOiser", ECCV 2024.
    """

    def __init__(
        self,
        dino: DINOBackbone,
        found: FoundTeacher,
        *,
        kind: str = "v",
        threshold: float = 0.2,
        cache: str | Path | None = None,
        cache_bytes: int = 8 << 30,
    ) -> None:
        super().__init__()
        self.dino, self.found = dino, found
        self.kind, self.threshold = kind, threshold
        self.cache = None if cache is None else Path(cache)
        self._room = cache_bytes - _size(self.cache)

    @torch.no_grad()
    def forward(self, pixels: Tensor, grid: tuple[int, int]) -> Targets:
        """Ask, or look up; both answers are 0.0 or 1.0.

        Raises:
            ConfigError: DINO sees another grid than the student.
        """
        if self.cache is None:
            pairs, objects = self._ask(pixels, grid)
        else:
            pairs, objects = self._look_up(pixels, grid, self.cache)
        return pairs.to(pixels.device).float(), objects.to(pixels.device).float()

    def _look_up(self, pixels: Tensor, grid: tuple[int, int], cache: Path) -> Targets:
        """The kept answers, and those of the crops that nobody asked about yet."""
        paths = [cache / f"{self._key(crop, grid)}.npz" for crop in pixels]
        answers = [_read(path) for path in paths]
        new = [place for place, answer in enumerate(answers) if answer is None]
        if new:
            for place, *answer in zip(new, *self._ask(pixels[new], grid), strict=True):
                answers[place] = (answer[0].cpu(), answer[1].cpu())
                if self._room > 0:
                    self._room -= _keep(paths[place], answers[place])
        pairs, objects = zip(*answers, strict=True)
        return torch.stack(pairs), torch.stack(objects)

    def _ask(self, pixels: Tensor, grid: tuple[int, int]) -> Targets:
        with torch.autocast(pixels.device.type, enabled=False):  # targets are those of fp32 in every precision
            return self._answer(pixels, grid)

    def _answer(self, pixels: Tensor, grid: tuple[int, int]) -> Targets:
        features = self.dino.features(pixels, self.kind)  # [B, D, h, w]
        if tuple(features.shape[2:]) != grid:
            came = tuple(features.shape[2:])
            raise ConfigError(f"DINO sees a grid of {came} where CLIP has {grid}: take a DINO of CLIP's patch size")
        pairs = cosine_affinity(features.flatten(2)) >= self.threshold
        return pairs, self.found(pixels, grid) > OBJECT_PROBABILITY

    def _key(self, crop: Tensor, grid: tuple[int, int]) -> str:
        digest = hashlib.sha256(f"{self._weights} {self.kind} {self.threshold} {grid} {tuple(crop.shape)}".encode())
        digest.update(crop.detach().cpu().contiguous().numpy().tobytes())
        return digest.hexdigest()[:32]

    @cached_property
    def _weights(self) -> str:
        return hash_module(self)


def _read(path: Path) -> Targets | None:
    """A crop's answers [N, N] and [1, h, w] kept there, or None where they are missing or damaged."""
    try:
        with np.load(path, allow_pickle=False) as kept:
            shapes = [tuple(kept[f"{name}_shape"].tolist()) for name in ("pairs", "objects")]
            flat = [np.unpackbits(kept[name]) for name in ("pairs", "objects")]
        bits = [numbers[: int(np.prod(shape))].reshape(shape) for numbers, shape in zip(flat, shapes, strict=True)]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
        return None
    return torch.from_numpy(bits[0]), torch.from_numpy(bits[1])


def _size(folder: Path | None) -> int:
    return sum(path.stat().st_size for path in folder.glob("*.npz")) if folder is not None else 0


def _keep(path: Path, targets: Targets) -> int:
    """Write the answers; returns how many bytes."""
    stream = io.BytesIO()
    pairs, objects = (target.cpu().numpy() for target in targets)
    np.savez(
        stream,
        pairs=np.packbits(pairs),
        objects=np.packbits(objects),
        pairs_shape=np.array(pairs.shape),
        objects_shape=np.array(objects.shape),
    )
    write_atomic(path, stream.getvalue())
    return stream.tell()
