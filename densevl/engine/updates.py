"""One update of the weights: parts of a batch, mixed precision, clipping, the mean over processes, the running mean."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from densevl.core.errors import TrainingError, UsageError
from densevl.core.stages import TrainStep
from densevl.core.structures import BatchPart
from densevl.engine.plan import TrainPlan
from densevl.engine.ranks import Ranks
from densevl.engine.runtime import autocast

_LEAST_SCALE = 2.0**-10  # fp16 gradients that overflow even then are no numbers themselves


class Updater:
    """Moves what a step trains, batch by batch.

    Args:
        step: batch -> named losses.
        plan: rates, clipping, running mean.
        dtype: precision of the forward pass.
        ranks: the processes; each has its share of every batch.

    Raises:
        UsageError: a learning rate is not above 0.
    """

    def __init__(self, step: TrainStep, plan: TrainPlan, *, dtype: torch.dtype, ranks: Ranks) -> None:
        self.step, self.plan, self.dtype, self.ranks = step, plan, dtype, ranks
        groups = [dict(group) for group in step.parameter_groups()]
        self.rates = [group["lr"] for group in groups]
        if not all(math.isfinite(rate) and rate > 0 for rate in self.rates):
            raise UsageError(f"learning rates must be numbers above 0, got {self.rates}")
        self.optimizer = torch.optim.AdamW(groups, weight_decay=plan.weight_decay)
        self.parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        self.device = self.parameters[0].device
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=dtype == torch.float16)
        self.forward = DistributedDataParallel(step) if ranks.count > 1 else step  # type: ignore[arg-type]
        self.average = None
        if plan.ema is not None:
            mean = get_ema_multi_avg_fn(plan.ema)
            self.average = AveragedModel(step.trained, multi_avg_fn=mean, use_buffers=True)

    def update(self, iteration: int, parts: Iterator[BatchPart]) -> dict[str, Any]:
        """Move the weights by the next batch; `rates` and `losses` of it, the losses those of all processes.

        Raises:
            TrainingError: a loss or a gradient is no number; the weights are as they were.
        """
        factor = self.plan.schedule(iteration, self.plan.iterations)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        losses = self.backward(parts)
        _refuse_no_number("loss", iteration, losses)
        self.scaler.unscale_(self.optimizer)
        most = math.inf if self.plan.clip_norm is None else self.plan.clip_norm
        norm = float(nn.utils.clip_grad_norm_(self.parameters, most))
        if not self.scaler.is_enabled():
            _refuse_no_number("gradient", iteration, {"norm": norm})
        self.scaler.step(self.optimizer)
        self.scaler.update()  # leaves out an update whose gradients overflowed, and halves the scale for the next one
        if self.scaler.is_enabled() and self.scaler.get_scale() < _LEAST_SCALE:
            _refuse_no_number("gradient", iteration, {"norm": norm})
        self.optimizer.zero_grad(set_to_none=True)
        if self.average is not None:
            self.average.update_parameters(self.step.trained)
        return {"rates": [group["lr"] for group in self.optimizer.param_groups], "losses": losses}

    def backward(self, parts: Iterator[BatchPart]) -> dict[str, float]:
        """Gradients of the mean over all items of a batch, whatever part and process they are in; the losses.

        Takes the parts of one batch from the iterator.
        """
        sums: dict[str, Tensor] = {}
        for part in parts:
            with self._together(last=part.last):
                with autocast(self.device, self.dtype):
                    losses = self.forward(_move(part.items, self.device))
                total = torch.stack([loss.float() for loss in losses.values()]).sum()
                # processes are averaged, and their shares should add up
                self.scaler.scale(total * (part.share * self.ranks.count)).backward()
            for name, loss in losses.items():
                sums[name] = sums.get(name, torch.zeros((), device=self.device)) + loss.detach().float() * part.share
            if part.last:
                break
        means = self.ranks.add_up(torch.stack(list(sums.values()))).tolist()
        return dict(zip(sums, means, strict=True))

    def clear(self) -> None:
        """Forget the gradients."""
        self.optimizer.zero_grad(set_to_none=True)

    @contextmanager
    def averaged(self) -> Iterator[None]:
        """Within it the step has the running mean of its weights, where the plan asks for one."""
        if self.average is None:
            yield
            return
        trained = self.step.trained
        own = {name: tensor.clone() for name, tensor in trained.state_dict().items()}
        trained.load_state_dict(self.average.module.state_dict())
        try:
            yield
        finally:
            trained.load_state_dict(own)

    def state(self) -> dict[str, Any]:
        """All that the next update depends on beside the random states."""
        return {
            "trained": self.step.trained.state_dict(),
            "average": None if self.average is None else self.average.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
        }

    def load(self, state: Mapping[str, Any]) -> None:
        """Go on from such a state."""
        self.step.trained.load_state_dict(state["trained"])
        if self.average is not None:
            self.average.load_state_dict(state["average"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.scaler.load_state_dict(state["scaler"])

    def _together(self, *, last: bool) -> AbstractContextManager[Any]:
        """Gradients go to the other processes with the last part only."""
        waits = isinstance(self.forward, DistributedDataParallel) and not last
        return self.forward.no_sync() if waits else nullcontext()


def _move(items: Any, device: torch.device) -> Any:
    if isinstance(items, Tensor):
        return items.to(device, non_blocking=True)
    return {name: tensor.to(device, non_blocking=True) for name, tensor in items.items()}


def _refuse_no_number(kind: str, iteration: int, values: Mapping[str, float]) -> None:
    if not all(math.isfinite(value) for value in values.values()):
        shown = ", ".join(f"{name} {value}" for name, value in values.items())
        raise TrainingError(
            f"the {kind} of iteration {iteration} is no number ({shown}): lower the learning rates, set clip_norm, "
            "or train in fp32"
        )
