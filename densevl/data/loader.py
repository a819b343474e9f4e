"""Batches of training crops from any folder of pictures, every draw a function of (seed, epoch, place)."""

from __future__ import annotations

import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F
from torch.utils.data import DataLoader, Dataset

from densevl.core.errors import PictureError, SourceError, TrainingError, UsageError
from densevl.data.folders import open_source
from densevl.data.pictures import PICTURE_SUFFIXES, read_picture

if TYPE_CHECKING:
    from collections.abc import Iterable


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
    """Crops of a folder's pictures (sub-folders too, as ImageNet has them); labels are not looked at.

    Args:
        folder: the pictures.
        rule: what is done to each.
        subset: so many pictures, drawn once with replacement as published; None: all.
        seed: of every draw.

    Raises:
        SourceError: no pictures there.
    """

    def __init__(self, folder: str | Path, rule: CropRule, *, subset: int | None = None, seed: int = 0) -> None:
        found = open_source(str(folder)).paths
        paths = [path for path in found if path.suffix.lower() in PICTURE_SUFFIXES]  # clips may lie there too
        if not paths:
            raise SourceError(f"no pictures in {folder}, only clips: give a folder of pictures")
        chosen = range(len(paths)) if subset is None else np.random.RandomState(seed).choice(len(paths), subset)
        self.paths = tuple(paths[int(index)] for index in chosen)
        self.rule, self.seed = rule, seed

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, key: tuple[int, int]) -> Tensor:
        """(epoch, place) -> [3, size, size], whoever asks and in whatever order."""
        epoch, place = key
        picture = torch.from_numpy(read_picture(self.paths[place]))  # [H, W, 3]
        draws = np.random.RandomState([self.seed, epoch, place])
        return self.rule(picture.permute(2, 0, 1).float() / 255, draws)

    def batches(self, start: int, *, batch_size: int, workers: int = 0) -> Iterator[Tensor]:
        """Batches [B, 3, size, size] from number `start` on, endless; the last of an epoch may be smaller.

        Raises:
            TrainingError: a batch is larger than the set. PictureError, while reading: a picture is damaged.
        """
        self.check_batch(batch_size)
        keys = self._keys(start, batch_size)
        own = torch.Generator()  # else every start of a loader would move torch's, and a resumed run would differ
        loader = DataLoader(
            self,
            batch_sampler=keys,
            num_workers=workers,
            persistent_workers=workers > 0,
            generator=own,
            worker_init_fn=_leave_signals,
        )
        return _read(loader)

    def check_batch(self, batch_size: int) -> None:
        """Refuse a batch that is larger than the set.

        Raises:
            TrainingError: it is.
        """
        if not 1 <= batch_size <= len(self):
            raise TrainingError(
                f"a batch of {batch_size} from a set of {len(self)} pictures: set data.batch_size lower"
            )

    def _keys(self, start: int, batch_size: int) -> Iterable[Sequence[tuple[int, int]]]:
        return _Order(len(self), self.seed, start, batch_size)


@dataclass(frozen=True)
class _Order:
    """Which pictures are in which batch: a new order every epoch, known without the epochs before."""

    count: int
    seed: int
    start: int
    batch_size: int

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        per_epoch = -(-self.count // self.batch_size)
        epoch, first = divmod(self.start, per_epoch)
        while True:
            places = np.random.RandomState([self.seed, epoch]).permutation(self.count).tolist()
            for batch in range(first, per_epoch):
                chosen = places[batch * self.batch_size : (batch + 1) * self.batch_size]
                yield [(epoch, place) for place in chosen]
            epoch, first = epoch + 1, 0


def _leave_signals(worker: int) -> None:
    """A signal to the whole process group is the trainer's to answer, which still needs its workers for that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)


def _read(loader: DataLoader[Tensor]) -> Iterator[Tensor]:
    """The batches of a loader, whose workers end with them whatever happens."""
    batches = iter(loader)
    try:
        yield from batches
    except PictureError as error:  # a worker's error comes with its whole traceback as text
        raise PictureError(str(error).rpartition("PictureError: ")[2].strip()) from error
    finally:
        if loader.num_workers > 0:  # an error holds on to `batches`, and at exit Python would wait for them for ever
            batches._shutdown_workers()  # type: ignore[attr-defined]
