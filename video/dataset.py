"""Training clips from a list: every draw known from (seed, epoch, place), so that a killed run goes on exactly."""

from __future__ import annotations

import logging
import os
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from torch import Tensor
from torch.utils.data import Dataset

from densevl.core.errors import ClipError, UsageError
from densevl.core.files import sha256_bytes
from densevl.core.structures import BatchPart
from densevl.data.loader import BatchOrder, read_batches
from video.clips import ClipReader
from video.lists import read_clip_list
from video.sampling import FrameRule
from video.transforms import TrainingView

logger = logging.getLogger(__name__)


class TrainingClips(Dataset[dict[str, Tensor]]):
    """Labelled clips as batches `video` [B, T, 3, S, S] in [0, 1] and `labels` [B] (a core.stages.TrainingSet).

    Args:
        folder: what the list and the clips' paths are relative to.
        clip_list: the list, in any form of `video.lists`; or a folder of class folders.
        view: what is done to the frames.
        frames: which ones are seen.
        classes: their names, in any form of `video.class_names`; a path is relative to `folder`. None: those of the
            list.
        on_error: `raise` ends the run at a clip that cannot be read; `skip` takes the next clip of the list for it.
        seed: of every draw.

    Raises:
        ClipListError, ClassListError: the list, or the classes.
        UsageError: `on_error` is none of the two, or the list has labels but no names.
    """

    def __init__(
        self,
        folder: str | Path,
        *,
        clip_list: str,
        view: TrainingView,
        frames: FrameRule,
        classes: str | Sequence[str] | None = None,
        on_error: str = "raise",
        seed: int = 0,
    ) -> None:
        root = Path(folder)
        if on_error not in ("raise", "skip"):
            raise UsageError(f"data.on_error must be raise or skip, got {on_error!r}")
        named = isinstance(classes, str) and os.path.isfile(root / classes)
        self.clips = read_clip_list(root / clip_list, root / str(classes) if named else classes, root=root)
        if not self.clips.class_names:
            raise UsageError(f"{self.clips.source} has numbers as labels: give the names, data.classes=FILE")
        self.root, self.view, self.seed, self.skips = root, view, seed, on_error == "skip"
        self.frames, self._reader = frames, ClipReader(self.clips, frames)

    def __len__(self) -> int:
        return len(self.clips)

    @property
    def class_names(self) -> tuple[str, ...]:
        """K names, in the order of their labels."""
        return self.clips.class_names

    def __getitem__(self, key: tuple[int, int]) -> dict[str, Any]:
        """(epoch, place) -> `video` [T, 3, S, S] and `labels`, whoever asks and in whatever order."""
        epoch, place = key
        for step in range(len(self)):
            chosen = (place + step) % len(self)
            draws = np.random.RandomState([self.seed, epoch, place])
            try:
                clip = self._reader.read(chosen, partial(self.frames, rng=draws))
            except ClipError as error:
                if not self.skips:
                    raise
                logger.warning("%s: the next clip of the list stands in for it", error)
            else:
                return {"video": self.view(clip.frames[0], draws), "labels": clip.label}
        raise ClipError(f"none of the {len(self)} clips of {self.clips.source} can be read")

    def identity(self) -> str:
        """How many clips, and a hash of their names, labels and classes in order."""
        listed = "\n".join([self.clips.digest(), *self.class_names])
        return f"{len(self)} ({sha256_bytes(listed.encode())[:12]})"

    def batches(self, order: BatchOrder, *, workers: int = 0) -> Iterator[BatchPart]:
        """The parts of an order's batches; raises ClipError where a clip cannot be read."""
        return read_batches(self, order, workers=workers)
