"""Batches of a training set, endless and the same from any start: all is drawn from (seed, epoch, place)."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from densevl.core.errors import ClipError, PictureError, TrainingError
from densevl.core.structures import BatchPart


@dataclass(frozen=True)
class BatchOrder:
    """Which places of a set are in which batch: a new order every epoch, known without the epochs before.

    Attributes:
        count: items of the set.
        batch_size: items a batch, over all processes; the last of an epoch may be smaller.
        seed: of the order.
        start: number of the first batch.
        rank: this process, which gets every `ranks`-th item of a batch.
        ranks: processes. The rest of an epoch is left out where it has fewer items than that.
        parts: that each process reads its share of a batch in, to save memory.
    """

    count: int
    batch_size: int
    seed: int = 0
    start: int = 0
    rank: int = 0
    ranks: int = 1
    parts: int = 1

    def __post_init__(self) -> None:
        """Refuse a batch that the set does not fill."""
        if not 1 <= self.batch_size <= self.count:
            raise TrainingError(
                f"a batch of {self.batch_size} from a set of {self.count}: set data.batch_size lower, or add data"
            )
        if self.batch_size < self.ranks:
            raise TrainingError(f"a batch of {self.batch_size} for {self.ranks} processes: set data.batch_size higher")

    @property
    def per_epoch(self) -> int:
        """Batches of an epoch."""
        whole, rest = divmod(self.count, self.batch_size)
        return whole + (rest >= self.ranks)

    def __iter__(self) -> Iterator[BatchPart]:
        """(epoch, place) of each item of each part of this process."""
        epoch, first = divmod(self.start, self.per_epoch)
        while True:
            places = np.random.RandomState([self.seed, epoch]).permutation(self.count).tolist()
            for batch in range(first, self.per_epoch):
                chosen = places[batch * self.batch_size : (batch + 1) * self.batch_size]
                own = [(epoch, place) for place in chosen[self.rank :: self.ranks]]
                step = -(-len(own) // self.parts)
                for start in range(0, len(own), step):
                    keys = own[start : start + step]
                    yield BatchPart(keys, len(keys) / len(chosen), last=start + step >= len(own))
            epoch, first = epoch + 1, 0


class _Keys:
    """The keys alone, as a loader wants them."""

    def __init__(self, order: BatchOrder) -> None:
        self.order = order

    def __iter__(self) -> Iterator[list[tuple[int, int]]]:
        return (part.items for part in self.order)


def read_batches(dataset: Dataset[Any], order: BatchOrder, *, workers: int = 0) -> Iterator[BatchPart]:
    """The parts of an order's batches, by worker processes that end with the iterator whatever happens.

    Args:
        dataset: (epoch, place) -> an item; it draws from (seed, epoch, place) alone.
        order: which items.
        workers: processes that read ahead; 0 reads in this one.

    Raises:
        PictureError, ClipError: while reading, an item is damaged.
    """
    own = torch.Generator()  # else every start of a loader would move torch's, and a resumed run would differ
    loader = DataLoader(
        dataset,
        batch_sampler=_Keys(order),
        num_workers=workers,
        persistent_workers=workers > 0,
        generator=own,
        worker_init_fn=_leave_signals,
    )
    batches = iter(loader)
    try:
        for items, part in zip(batches, order, strict=False):
            yield replace(part, items=items)
    except (PictureError, ClipError) as error:  # a worker's error comes with its whole traceback as text
        kind = type(error)
        raise kind(str(error).rpartition(f"{kind.__name__}: ")[2].strip()) from error
    finally:
        if workers > 0:  # an error holds on to `batches`, and at exit Python would wait for them for ever
            batches._shutdown_workers()  # type: ignore[attr-defined]


def _leave_signals(worker: int) -> None:
    """A signal to the whole process group is the trainer's to answer, which still needs its workers for that."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
