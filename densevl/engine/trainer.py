"""The trainer of everything that is trained here: a loop over batches, exact to resume, short enough to read."""

from __future__ import annotations

import json
import logging
import math
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import Any

import torch
from torch import Tensor, nn

from densevl.core.errors import TrainingError, UsageError
from densevl.core.files import write_atomic
from densevl.core.stages import TrainStep
from densevl.engine.checkpoint import load_checkpoint, random_states, restore_random_states, save_checkpoint
from densevl.engine.runtime import autocast
from densevl.engine.schedules import MultiStep

logger = logging.getLogger(__name__)

LOG = "train.jsonl"


@dataclass(frozen=True)
class TrainPlan:
    """How long and how.

    Attributes:
        iterations: updates of the weights.
        schedule: number of an update -> factor on every group's learning rate.
        accumulate: parts that a batch is cut into, one backward pass each, to save memory.
        clip_norm: largest norm of all gradients together; None: not clipped.
        save_every: updates from one checkpoint to the next.
        weight_decay: of AdamW.
        seed: of everything that is drawn.
    """

    iterations: int
    schedule: Callable[[int], float] = field(default_factory=MultiStep)
    accumulate: int = 1
    clip_norm: float | None = None
    save_every: int = 500
    weight_decay: float = 0.01
    seed: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        for name in ("iterations", "accumulate", "save_every"):
            if getattr(self, name) < 1:
                raise UsageError(f"{name} must be at least 1, got {getattr(self, name)}")
        if not 0 <= self.seed < 2**32:
            raise UsageError(f"seed must be in [0, 2**32), got {self.seed}")


@dataclass(frozen=True)
class TrainResult:
    """Where a run ended: updates done in all, whether it was stopped before the end, and the last losses."""

    iteration: int
    stopped: bool
    losses: Mapping[str, float]


class Trainer:
    """Trains what one step says.

    Args:
        step: batch -> named losses, whose sum is made small; `parameter_groups()` says what is trained, at which rate.
        batches: number of the next update -> batches from there on, endless and the same every time.
        plan: how long and how.
        out: folder of `train.jsonl` and the checkpoints.
        settings: what a resumed run must have in common with its checkpoint, by name.
        dtype: precision of the forward pass.
    """

    def __init__(
        self,
        step: TrainStep,
        batches: Callable[[int], Iterator[Tensor]],
        *,
        plan: TrainPlan,
        out: Path,
        settings: Mapping[str, str],
        dtype: torch.dtype = torch.float32,
    ) -> None:
        self.step, self.trained, self.batches, self.plan = step, step.trained, batches, plan
        self.out, self.settings, self.dtype = out, dict(settings), dtype
        self.optimizer = torch.optim.AdamW(
            [dict(group) for group in step.parameter_groups()], weight_decay=plan.weight_decay
        )
        self.rates = [group["lr"] for group in self.optimizer.param_groups]
        self.device = next(self.trained.parameters()).device
        self.scaler = torch.amp.GradScaler(self.device.type, enabled=dtype == torch.float16)

    def run(
        self,
        *,
        resume: Path | None = None,
        progress: Callable[[int], object] = lambda count: None,
        report: Callable[[Mapping[str, Any]], object] = lambda line: None,
    ) -> TrainResult:
        """Train to the end of the plan, or until SIGTERM or Ctrl-C; either way a checkpoint is written.

        Args:
            resume: a checkpoint or the folder of a run to go on from.
            progress: called with the number of updates just done.
            report: called with each line of the log: iteration, rates, losses by name, seconds.

        Raises:
            TrainingError: a loss is no number; the last good checkpoint stays.
            UsageError: the checkpoint is of a run with other settings, says which; or it is behind the end of the plan.
            WeightsError: there is no checkpoint to resume.
            OutputError: the folder cannot be written.
        """
        start = 0 if resume is None else self._restore(load_checkpoint(resume))
        if start > self.plan.iterations:
            raise UsageError(f"the checkpoint has {start} updates already, more than the plan's {self.plan.iterations}")
        self._cut_log(start)
        progress(start)
        losses: dict[str, float] = {}
        iteration = start
        with _stop_signals() as stop, (self.out / LOG).open("a", encoding="utf-8") as log:
            for iteration, batch in zip(range(start, self.plan.iterations), self.batches(start), strict=False):
                line = self._update(iteration, batch)
                losses = line["losses"]
                log.write(json.dumps(line) + "\n")
                log.flush()
                report(line)
                progress(1)
                done = iteration + 1
                if done % self.plan.save_every == 0 or done == self.plan.iterations or stop.is_set():
                    self._save(done)
                if stop.is_set():
                    return TrainResult(done, done < self.plan.iterations, losses)
        return TrainResult(self.plan.iterations, stopped=False, losses=losses)

    def try_once(self) -> dict[str, Any]:
        """--dry-run: one forward and backward pass; no weight is changed and nothing is written."""
        batch = next(iter(self.batches(0)))
        started = time.perf_counter()
        losses = self._backward(batch.to(self.device))
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        without = sum(p.grad is None for p in parameters)
        self.optimizer.zero_grad(set_to_none=True)
        return {
            "batch": list(batch.shape),
            "iterations": self.plan.iterations,
            "trained_tensors": len(parameters),
            "trained_parameters": sum(p.numel() for p in parameters),
            "without_gradient": without,
            "losses": losses,
            "seconds": round(time.perf_counter() - started, 3),
            "device": str(self.device),
        }

    def _update(self, iteration: int, batch: Tensor) -> dict[str, Any]:
        started = time.perf_counter()
        factor = self.plan.schedule(iteration)
        for group, rate in zip(self.optimizer.param_groups, self.rates, strict=True):
            group["lr"] = rate * factor
        losses = self._backward(batch.to(self.device))
        self._refuse_no_number("loss", iteration, losses)
        self.scaler.unscale_(self.optimizer)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        most = math.inf if self.plan.clip_norm is None else self.plan.clip_norm
        norm = nn.utils.clip_grad_norm_(parameters, most)
        if not self.scaler.is_enabled():  # the scaler leaves such updates out by itself
            self._refuse_no_number("gradient", iteration, {"norm": float(norm)})
        self.scaler.step(self.optimizer)
        self.scaler.update()
        self.optimizer.zero_grad(set_to_none=True)
        rates = [group["lr"] for group in self.optimizer.param_groups]
        seconds = round(time.perf_counter() - started, 4)
        return {"iteration": iteration, "rates": rates, "losses": losses, "seconds": seconds}

    def _refuse_no_number(self, kind: str, iteration: int, values: Mapping[str, float]) -> None:
        if not all(math.isfinite(value) for value in values.values()):
            shown = ", ".join(f"{name} {value}" for name, value in values.items())
            raise TrainingError(
                f"the {kind} of iteration {iteration} is no number ({shown}): lower the learning rates, set clip_norm, "
                f"or train in fp32. The last good checkpoint is in {self.out}"
            )

    def _backward(self, batch: Tensor) -> dict[str, float]:
        """Gradients of the mean over the parts of a batch; the losses as numbers."""
        sums: dict[str, float] = {}
        for part in batch.chunk(min(self.plan.accumulate, len(batch))):
            share = len(part) / len(batch)
            with autocast(self.device, self.dtype):
                losses = self.step(part)
            total = torch.stack([loss.float() for loss in losses.values()]).sum()
            self.scaler.scale(total * share).backward()
            for name, loss in losses.items():
                sums[name] = sums.get(name, 0.0) + float(loss.detach()) * share
        return sums

    def _save(self, iteration: int) -> None:
        content = {
            "iteration": iteration,
            "settings": self.settings,
            "trained": self.trained.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "random": random_states(),
        }
        save_checkpoint(self.out, content)

    def _restore(self, content: Mapping[str, Any]) -> int:
        differing = [
            f"{name} was {content['settings'].get(name)!r} and is {self.settings.get(name)!r}"
            for name in sorted({*content["settings"], *self.settings})
            if content["settings"].get(name) != self.settings.get(name)
        ]
        if differing:
            raise UsageError(f"the checkpoint is of another run: {'; '.join(differing)}. Train anew, or as it was")
        self.trained.load_state_dict(content["trained"])
        self.optimizer.load_state_dict(content["optimizer"])
        self.scaler.load_state_dict(content["scaler"])
        restore_random_states(content["random"])
        return int(content["iteration"])

    def _cut_log(self, start: int) -> None:
        """Lines of updates after the checkpoint are written again; the log may begin at a checkpoint of elsewhere."""
        path = self.out / LOG
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = (line for line in lines if line.endswith("\n"))  # a kill may leave a part of the last one
        write_atomic(path, "".join(line for line in whole if json.loads(line)["iteration"] < start).encode())


@contextmanager
def _stop_signals() -> Iterator[threading.Event]:
    """SIGTERM and Ctrl-C ask for a stop after the update in progress; outside the main thread they are left alone."""
    stop = threading.Event()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def ask(number: int, frame: FrameType | None) -> None:
        logger.warning("asked to stop: after this update")
        stop.set()

    before = {number: signal.signal(number, ask) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield stop
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
