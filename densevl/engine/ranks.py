"""The processes that train together: one without torchrun, and then nothing here costs anything."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch
    from torch import Tensor


@dataclass(frozen=True)
class Ranks:
    """This process among those of a run.

    Attributes:
        rank: its number, from 0; number 0 writes and speaks for all.
        count: how many there are.
    """

    rank: int = 0
    count: int = 1

    @property
    def leads(self) -> bool:
        """Whether this process writes."""
        return self.rank == 0

    def add_up(self, values: Tensor) -> Tensor:
        """The sum of all processes' values, of any shape; the same in each of them."""
        if self.count > 1:
            from torch.distributed import all_reduce

            all_reduce(values)
        return values

    def gather(self, value: Any) -> list[Any]:
        """What every process says, in the order of their numbers."""
        if self.count == 1:
            return [value]
        from torch.distributed import all_gather_object

        answers: list[Any] = [None] * self.count
        all_gather_object(answers, value)
        return answers


def rank_device(text: str) -> str:
    """`--device` of this process: under torchrun each takes the GPU of its own number where cuda is asked for."""
    import torch

    local = os.environ.get("LOCAL_RANK")
    if local is None or not (text == "cuda" or (text == "auto" and torch.cuda.is_available())):
        return text
    return f"cuda:{local}"


@contextmanager
def join_ranks(device: torch.device) -> Iterator[Ranks]:
    """Meet the other processes that torchrun started, and part from them at the end; alone without torchrun.

    Args:
        device: where this process computes: GPUs talk by nccl, everything else by gloo.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Ranks()
        return
    import torch
    from torch import distributed

    if device.type == "cuda":
        torch.cuda.set_device(device)
    distributed.init_process_group("nccl" if device.type == "cuda" else "gloo")
    try:
        yield current_ranks()
    finally:
        distributed.destroy_process_group()


def current_ranks() -> Ranks:
    """This process among those it has met; alone outside of `join_ranks`."""
    from torch import distributed

    if not (distributed.is_available() and distributed.is_initialized()):
        return Ranks()
    return Ranks(distributed.get_rank(), distributed.get_world_size())
