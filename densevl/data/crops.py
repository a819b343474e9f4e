"""Training crops from any folder of pictures, labels not looked at."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import Dataset

from densevl.core.errors import UsageError
from densevl.core.files import sha256_bytes
from densevl.core.structures import BatchPart
from densevl.data.folders import find_pictures
from densevl.data.loader import BatchOrder, read_batches
from densevl.data.pictures import read_picture


@dataclass(frozen=True)
class CropRule:
    """What is done to a picture: short side to `size`, a random square of it, mirrored, brighter or darker.

    Attributes:
        size: side of the crop in pixels.
        flip: share of mirrored crops.
        brightness: the factor is drawn from [1 - b, 1 + b].
    """

    size: int = 448
    flip: float = 0.5
    brightness: float = 0.5

    def __post_init__(self) -> None:
        """Check the ranges."""
        if self.size < 1 or not 0 <= self.flip <= 1 or not 0 <= self.brightness <= 1:
            raise UsageError(
                f"expected a size of at least 1 and flip and brightness in [0, 1], got size {self.size}, "
                f"flip {self.flip}, brightness {self.brightness}"
            )

    def __call__(self, pixels: Tensor, draws: np.random.RandomState) -> Tensor:
        """Pixels [3, H, W] in [0, 1] -> [3, size, size] in [0, 1].

        Source: CLIP-DINOiser's training transforms (torchvision Resize with antialiasing, RandomCrop, flip, jitter).
        """
        target = self.resized(pixels.shape[1:])
        resized = F.interpolate(pixels[None], target, mode="bilinear", align_corners=False, antialias=True)[0]
        top = draws.randint(target[0] - self.size + 1)
        left = draws.randint(target[1] - self.size + 1)
        crop = resized[:, top : top + self.size, left : left + self.size]
        if draws.random_sample() < self.flip:
            crop = crop.flip(2)
        return (crop * draws.uniform(1 - self.brightness, 1 + self.brightness)).clamp(0, 1).contiguous()

    def resized(self, shape: Sequence[int]) -> tuple[int, int]:
        """Picture (H, W) -> (H, W) with the short side `size`; the long one rounded down, as torchvision does."""
        height, width = shape
        short = min(height, width)
        return self.size * height // short, self.size * width // short


class TrainingCrops(Dataset[Tensor]):
    """Crops of a folder's pictures, sub-folders too, as ImageNet has them (a core.stages.TrainingSet).

    Args:
        folder: the pictures.
        rule: what is done to each.
        subset: so many pictures, drawn once with replacement as published; None: all.
        seed: of every draw.

    Raises:
        SourceError: no pictures there.
    """

    def __init__(self, folder: str | Path, *, rule: CropRule, subset: int | None = None, seed: int = 0) -> None:
        found = find_pictures(Path(folder))
        if subset is not None and (not isinstance(subset, int) or subset < 1):
            raise UsageError(f"data.subset must be a whole number of at least 1, got {subset!r}")
        chosen = range(len(found)) if subset is None else np.random.RandomState(seed).choice(len(found), subset)
        self.paths = tuple(found[int(index)] for index in chosen)
        self.folder, self.rule, self.seed = Path(folder), rule, seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        """(epoch, place) -> [3, size, size], whoever asks and in whatever order."""
        epoch, place = key
        picture = torch.from_numpy(read_picture(self.paths[place]))  # [H, W, 3]
        draws = np.random.RandomState([self.seed, epoch, place])
        return self.rule(picture.permute(2, 0, 1).float() / 255, draws)

    def identity(self) -> str:
        """How many pictures, and a hash of their names in order: a subset keeps its size in a larger folder."""
        listed = "\n".join(os.path.relpath(path, self.folder) for path in self.paths)
        return f"{len(self)} ({sha256_bytes(os.fsencode(listed))[:12]})"

    def batches(self, order: BatchOrder, *, workers: int = 0) -> Iterator[BatchPart]:
        """Parts [b, 3, size, size] of an order's batches; raises PictureError where a picture is damaged."""
        return read_batches(self, order, workers=workers)
