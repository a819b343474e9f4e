"""The trainer of everything that is trained here: a loop over batches, exact to resume, short enough to read."""

from __future__ import annotations

import json
import logging
import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any

import torch

from densevl.core.errors import ConfigError, DataError, TrainingError, UsageError
from densevl.core.files import require_writable, write_atomic
from densevl.core.structures import BatchPart
from densevl.engine.checkpoint import (
    NEWEST,
    load_checkpoint,
    random_states,
    restore_random_states,
    save_checkpoint,
    save_release,
)
from densevl.engine.lock import take_lock
from densevl.engine.updates import Updater

logger = logging.getLogger(__name__)

LOG = "train.jsonl"


@dataclass(frozen=True)
class TrainResult:
    """How a run ended.

    Attributes:
        iteration: updates done in all.
        stopped: whether it was asked to stop before its end.
        losses: the last ones.
        best: the best validation: iteration, score; {} without validation.
    """

    iteration: int
    stopped: bool
    losses: Mapping[str, float]
    best: Mapping[str, float]


@dataclass
class _Best:
    """The best validation so far, and how many came after it."""

    iteration: int = 0
    score: float = float("-inf")
    after: int = 0

    def judge(self, iteration: int, score: float) -> bool:
        """Note a score; whether it is the best."""
        if not score > self.score:  # what is no number is not the best
            self.after += 1
            return False
        self.iteration, self.score, self.after = iteration, score, 0
        return True


class Trainer:
    """Runs an updater over batches, with checkpoints, a log, and an end.

    Args:
        updater: batch -> moved weights, by a plan.
        batches: number of the next update -> the parts of the batches from there on, endless, the same every time.
        out: folder of `train.jsonl`, the checkpoints, and `last.pt` and `best.pt`.
        settings: what a resumed run must have in common with its checkpoint, by name.
        per_epoch: updates of an epoch.
        validate: figures of the model as it is; the first one decides which weights are the best, more is better.
    """

    def __init__(
        self,
        updater: Updater,
        batches: Callable[[int], Iterator[BatchPart]],
        *,
        out: Path,
        settings: Mapping[str, str],
        per_epoch: int,
        validate: Callable[[], Mapping[str, float]] | None = None,
    ) -> None:
        self.updater, self.plan, self.ranks = updater, updater.plan, updater.ranks
        self.batches, self.out, self.settings, self.per_epoch = batches, out, dict(settings), per_epoch
        self.validate, self.best = validate, _Best()
        if self.plan.validate_every is not None and validate is None:
            raise UsageError("plan.validate_every needs something to validate on: give the config a validation section")

    def run(
        self,
        *,
        resume: Path | None = None,
        progress: Callable[[int], object] = lambda count: None,
        report: Callable[[Mapping[str, Any]], object] = lambda line: None,
    ) -> TrainResult:
        """Train to the end of the plan, or until SIGTERM or Ctrl-C; either way a checkpoint is written.

        At the end stands `last.pt` in the published layout; where the plan validates, `best.pt` too.

        Args:
            resume: a checkpoint or the folder of a run to go on from.
            progress: called with the number of updates just done.
            report: called with each line of the log: iteration, rates, losses by name, seconds, validation.

        Raises:
            TrainingError: a loss is no number; the last good checkpoint stays.
            UsageError: the checkpoint is of a run with other settings, says which; or it is behind the end of the plan.
            WeightsError: there is no checkpoint to resume.
            OutputError: the folder cannot be written, or another run is writing it.
            DataError: an item cannot be read; a checkpoint of the updates before it is written.
        """
        with self._own_folder():
            start = 0 if resume is None else self._restore(load_checkpoint(resume))
            if start > self.plan.iterations:
                raise UsageError(
                    f"the checkpoint has {start} updates already, more than the plan's {self.plan.iterations}"
                )
            if self.ranks.leads:
                self._cut_log(start)
            progress(start)
            with _stop_signals() as stop:
                result = self._loop(start, stop, progress=progress, report=report)
            if not result.stopped:
                self._release("last", result.iteration)
            return result

    def try_once(self) -> dict[str, Any]:
        """--dry-run: one part of a batch, forward and backward; no weight is moved, no file of the run written."""
        started = time.perf_counter()
        first = next(self.batches(0))
        losses = self.updater.backward(iter([replace(first, share=1.0, last=True)]))
        parameters = self.updater.parameters
        without = sum(p.grad is None for p in parameters)
        self.updater.clear()
        shapes = {"pixels": first.items} if isinstance(first.items, torch.Tensor) else first.items
        return {
            "part": {name: list(tensor.shape) for name, tensor in shapes.items()},
            "iterations": self.plan.iterations,
            "trained_tensors": len(parameters),
            "trained_parameters": sum(p.numel() for p in parameters),
            "without_gradient": without,
            "losses": losses,
            "seconds": round(time.perf_counter() - started, 3),
            "device": str(self.updater.device),
        }

    def _loop(
        self,
        start: int,
        stop: threading.Event,
        *,
        progress: Callable[[int], object],
        report: Callable[[Mapping[str, Any]], object],
    ) -> TrainResult:
        losses: dict[str, float] = {}
        done = start
        with (self.out / LOG if self.ranks.leads else Path(os.devnull)).open("a", encoding="utf-8") as log:
            parts = self.batches(start)
            while done < self.plan.iterations and not self._is_patient_no_more():
                line = self._update(done, start, parts)
                losses = line["losses"]
                done += 1
                ends = done == self.plan.iterations
                if self.plan.validate_every is not None and (done % self.plan.validate_every == 0 or ends):
                    line["validation"] = self._judge(done)
                ends = ends or self._is_patient_no_more()
                log.write(json.dumps(line) + "\n")
                log.flush()
                report(line)
                progress(1)
                stops = bool(self.ranks.add_up(torch.tensor(int(stop.is_set()), device=self.updater.device)))
                if done % self.plan.save_every == 0 or ends or stops:
                    self._save(done)
                if ends or stops:
                    return TrainResult(done, stops and not ends, losses, self._best_found())
        return TrainResult(done, stopped=False, losses=losses, best=self._best_found())

    def _is_patient_no_more(self) -> bool:
        return self.plan.patience is not None and self.best.after >= self.plan.patience

    def _update(self, iteration: int, start: int, parts: Iterator[BatchPart]) -> dict[str, Any]:
        started, before = time.perf_counter(), self._drawn()
        try:
            found = self.updater.update(iteration, parts)
        except TrainingError as error:
            newest = self.out / NEWEST
            kept = f"The last good checkpoint is {newest}" if newest.exists() else "There is no checkpoint yet"
            raise TrainingError(f"{error}. {kept}") from error
        except DataError:  # an item cannot be read; several processes cannot meet while one of them fails
            if iteration > start and self.ranks.count == 1:
                self._put_back(*before)  # parts of this update may have been through the model already
                self._save(iteration)
            raise
        return {"iteration": iteration, **found, "seconds": round(time.perf_counter() - started, 4)}

    def _drawn(self) -> tuple[dict[str, Any], list[torch.Tensor]]:
        """What a forward pass moves: the generators, and buffers such as running means."""
        return random_states(), [buffer.clone() for buffer in self.updater.step.trained.buffers()]

    def _put_back(self, states: Mapping[str, Any], buffers: Sequence[torch.Tensor]) -> None:
        restore_random_states(states)
        for buffer, before in zip(self.updater.step.trained.buffers(), buffers, strict=True):
            buffer.copy_(before)

    def _judge(self, done: int) -> dict[str, float]:
        with self.updater.averaged():
            figures = dict(self.validate()) if self.validate is not None else {}
        if not figures:
            raise ConfigError("the validation gave no figure: it returns a mapping, whose first value is judged by")
        if self.best.judge(done, next(iter(figures.values()))):
            self._release("best", done)
        return figures

    def _best_found(self) -> dict[str, float]:
        return {} if self.validate is None else {"iteration": self.best.iteration, "score": self.best.score}

    def _release(self, name: str, done: int) -> None:
        if self.ranks.leads:
            with self.updater.averaged():
                save_release(self.out, name, self.updater.step.release(done // self.per_epoch))

    def _save(self, iteration: int) -> None:
        states = self.ranks.gather(random_states())
        if self.ranks.leads:
            own = {"iteration": iteration, "settings": self.settings, "best": asdict(self.best), "random": states}
            save_checkpoint(self.out, {**own, **self.updater.state()})

    def _restore(self, content: Mapping[str, Any]) -> int:
        differing = [
            f"{name} was {content['settings'].get(name)!r} and is {self.settings.get(name)!r}"
            for name in sorted({*content["settings"], *self.settings})
            if content["settings"].get(name) != self.settings.get(name)
        ]
        if differing:
            raise UsageError(f"the checkpoint is of another run: {'; '.join(differing)}. Train anew, or as it was")
        self.updater.load(content)
        self.best = _Best(**content["best"])
        states = content["random"]
        if len(states) != self.ranks.count:
            logger.warning("%d processes went so far, %d go on: exact but for dropout", len(states), self.ranks.count)
        restore_random_states(states[self.ranks.rank % len(states)])
        return int(content["iteration"])

    @contextmanager
    def _own_folder(self) -> Iterator[None]:
        """The folder, written by this run alone."""
        if not self.ranks.leads:
            yield
            return
        require_writable(self.out)
        with closing(take_lock(self.out / LOG)):
            yield

    def _cut_log(self, start: int) -> None:
        """Lines of updates after the checkpoint are written again; the log may begin at a checkpoint of elsewhere."""
        path = self.out / LOG
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True) if path.exists() else []
        whole = (line for line in lines if line.endswith("\n"))  # a kill may leave a part of the last one
        write_atomic(path, "".join(line for line in whole if _iteration_of(line) < start).encode())


def _iteration_of(line: str) -> float:
    """Of a line of the log; beyond every other where it cannot be read."""
    try:
        return int(json.loads(line)["iteration"])
    except (ValueError, TypeError, KeyError):
        return math.inf


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
