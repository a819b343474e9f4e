"""The trainer on a toy problem with dropout, so that a lost random state shows."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from densevl.core.errors import ConfigError, OutputError, PictureError, TrainingError, UsageError, WeightsError
from densevl.core.structures import BatchPart
from densevl.engine.plan import TrainPlan
from densevl.engine.ranks import Ranks
from densevl.engine.schedules import MultiStep
from densevl.engine.trainer import Trainer
from densevl.engine.updates import Updater


class ToyStep(nn.Module):
    """Least squares through dropout."""

    def __init__(self, *, dropout: float = 0.3, poison: int | None = None) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trained = nn.Sequential(nn.Linear(4, 8), nn.Dropout(dropout), nn.Linear(8, 1))
        self.poison, self.calls = poison, 0

    def forward(self, batch: Tensor) -> Mapping[str, Tensor]:
        self.calls += 1
        error = self.trained(batch) - batch.sum(dim=1, keepdim=True)
        square = error.square().mean() * (torch.nan if self.calls == self.poison else 1.0)
        return {"square": square, "size": 0.01 * self.trained[0].weight.square().mean()}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [
            {"params": list(self.trained[0].parameters()), "lr": 1e-2},
            {"params": list(self.trained[2].parameters()), "lr": 1e-3},
        ]

    def release(self, epoch: int) -> Mapping[str, Any]:
        return {"epoch": epoch, "model_state_dict": self.trained.state_dict()}


def batches(start: int) -> Iterator[BatchPart]:
    while True:
        yield BatchPart(torch.rand(6, 4, generator=torch.Generator().manual_seed(start)))
        start += 1


def batches_in_three(start: int) -> Iterator[BatchPart]:
    for batch in batches(start):
        for place, rows in enumerate(batch.items.split(2)):
            yield BatchPart(rows, 1 / 3, last=place == 2)


def make_trainer(
    out: Path,
    *,
    step: ToyStep | None = None,
    name: str = "toy",
    validate: Callable[[], Mapping[str, float]] | None = None,
    **plan: Any,
) -> Trainer:
    options = {"iterations": 20, "save_every": 5, "schedule": MultiStep([8], 0.1), **plan}
    updater = Updater(step or ToyStep(), TrainPlan(**options), dtype=torch.float32, ranks=Ranks())
    return Trainer(updater, batches, out=out, settings={"name": name}, per_epoch=4, validate=validate)


def weights_of(trainer: Trainer) -> dict[str, Tensor]:
    return trainer.updater.step.trained.state_dict()


def log_of(out: Path) -> list[dict[str, Any]]:
    lines = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    return [{key: value for key, value in line.items() if key != "seconds"} for line in lines]


def stop_at(iteration: int, act: Callable[[], object]) -> Callable[[Mapping[str, Any]], object]:
    return lambda line: act() if line["iteration"] == iteration else None


def lose_power() -> None:
    raise RuntimeError("power cut")


def test_it_learns_and_logs_every_update_with_its_rates(tmp_path: Path) -> None:
    counted: list[int] = []
    result = make_trainer(tmp_path, step=ToyStep(dropout=0.0), iterations=60).run(progress=counted.append)
    lines = log_of(tmp_path)
    assert [line["iteration"] for line in lines] == list(range(60)) and sum(counted) == 60
    assert lines[0]["rates"] == [1e-2, 1e-3] and lines[8]["rates"] == pytest.approx([1e-3, 1e-4])
    assert lines[-1]["losses"]["square"] < lines[0]["losses"]["square"]
    assert result.iteration == 60 and not result.stopped and result.losses == lines[-1]["losses"]


@pytest.mark.parametrize("cut", [1, 7, 13])
def test_a_run_cut_anywhere_and_resumed_equals_an_unbroken_one_to_the_bit(tmp_path: Path, cut: int) -> None:
    whole = make_trainer(tmp_path / "whole")
    whole.run()
    with pytest.raises(RuntimeError, match="power cut"):
        make_trainer(tmp_path / "cut").run(report=stop_at(cut, lose_power))
    again = make_trainer(tmp_path / "cut")
    torch.rand(17)  # a process that has drawn something else before
    if (tmp_path / "cut/checkpoint.pt").exists():
        again.run(resume=tmp_path / "cut")
        for name, tensor in weights_of(whole).items():
            assert torch.equal(weights_of(again)[name], tensor), name
        assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")
    else:
        assert cut < 5  # nothing was saved yet
        with pytest.raises(WeightsError):
            again.run(resume=tmp_path / "cut")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_stops_after_the_update_with_a_checkpoint(tmp_path: Path, number: int) -> None:
    whole = make_trainer(tmp_path / "whole")
    whole.run()
    before = signal.getsignal(number)
    result = make_trainer(tmp_path / "cut").run(report=stop_at(6, lambda: os.kill(os.getpid(), number)))
    assert result.stopped and result.iteration == 7
    assert signal.getsignal(number) is before
    again = make_trainer(tmp_path / "cut")
    again.run(resume=tmp_path / "cut")
    for name, tensor in weights_of(whole).items():
        assert torch.equal(weights_of(again)[name], tensor), name


def test_parts_of_a_batch_give_the_gradients_of_the_whole(tmp_path: Path) -> None:
    whole = make_trainer(tmp_path / "a", step=ToyStep(dropout=0.0))
    parts = make_trainer(tmp_path / "b", step=ToyStep(dropout=0.0))
    parts.batches = batches_in_three
    whole.run()
    parts.run()
    for name, tensor in weights_of(whole).items():
        torch.testing.assert_close(weights_of(parts)[name], tensor, atol=1e-5, rtol=1e-4)
    assert parts.updater.step.calls == 3 * whole.updater.step.calls


def test_clipping_bounds_the_step(tmp_path: Path) -> None:
    free = make_trainer(tmp_path / "a", step=ToyStep(dropout=0.0), iterations=1)
    clipped = make_trainer(tmp_path / "b", step=ToyStep(dropout=0.0), iterations=1, clip_norm=1e-9)
    free.run()
    clipped.run()
    start = ToyStep(dropout=0.0).trained.state_dict()
    moved = [
        sum(float((tensor - start[name]).abs().sum()) for name, tensor in weights_of(trainer).items())
        for trainer in (free, clipped)
    ]
    assert moved[1] < 0.5 * moved[0]


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(
        TrainingError, match=r"iteration 7 .*square nan.*learning rates.*checkpoint is .*checkpoint\.pt"
    ):
        make_trainer(tmp_path, step=ToyStep(poison=8)).run()
    content = torch.load(tmp_path / "checkpoint.pt", weights_only=True)
    assert content["iteration"] == 5
    assert all(torch.isfinite(tensor).all() for tensor in content["trained"].values())


def test_a_gradient_that_is_no_number_under_a_finite_loss_spoils_neither_weights_nor_checkpoint(tmp_path: Path) -> None:
    class RootStep(ToyStep):
        def forward(self, batch: Tensor) -> Mapping[str, Tensor]:
            return {"root": (0 * super().forward(batch)["square"]).sqrt()}  # 0, and its slope is 0 * inf

    with pytest.raises(TrainingError, match=r"gradient of iteration 0 .*norm nan.*no checkpoint yet"):
        make_trainer(tmp_path, step=RootStep(), save_every=1).run()
    assert not (tmp_path / "checkpoint.pt").exists()


def test_another_config_is_named_and_a_longer_plan_is_welcome(tmp_path: Path) -> None:
    make_trainer(tmp_path, iterations=5).run()
    with pytest.raises(UsageError, match="name was 'toy' and is 'other'"):
        make_trainer(tmp_path, name="other").run(resume=tmp_path)
    assert make_trainer(tmp_path, iterations=9).run(resume=tmp_path).iteration == 9
    assert len(log_of(tmp_path)) == 9


def test_a_try_changes_no_weight_and_writes_nothing(tmp_path: Path) -> None:
    trainer = make_trainer(tmp_path / "out")
    before = {name: tensor.clone() for name, tensor in weights_of(trainer).items()}
    found = trainer.try_once()
    assert found["part"] == {"pixels": [6, 4]} and found["trained_parameters"] == 49 and found["without_gradient"] == 0
    assert set(found["losses"]) == {"square", "size"}
    assert all(torch.equal(before[name], tensor) for name, tensor in weights_of(trainer).items())
    assert not (tmp_path / "out").exists()


def test_what_cannot_be_read_ends_a_run_with_a_checkpoint_of_the_updates_before(tmp_path: Path) -> None:
    def broken(start: int) -> Iterator[BatchPart]:
        for number, batch in enumerate(batches(start), start):
            if number == 7:
                raise PictureError("7.png: not a picture")
            yield batch

    whole = make_trainer(tmp_path / "whole")
    whole.run()
    trainer = make_trainer(tmp_path / "cut")
    trainer.batches = broken
    with pytest.raises(PictureError, match=r"7\.png"):
        trainer.run()
    again = make_trainer(tmp_path / "cut")
    again.run(resume=tmp_path / "cut")
    assert log_of(tmp_path / "cut") == log_of(tmp_path / "whole")
    for name, tensor in weights_of(whole).items():
        assert torch.equal(weights_of(again)[name], tensor), name


def test_a_part_that_cannot_be_read_leaves_the_generators_as_they_were_before_its_update(tmp_path: Path) -> None:
    def broken(start: int) -> Iterator[BatchPart]:
        for number, part in enumerate(batches_in_three(start), 3 * start):
            if number == 3 * 7 + 2:  # two parts of update 7 have drawn their dropout already
                raise PictureError("7.png: not a picture")
            yield part

    whole = make_trainer(tmp_path / "whole")
    whole.batches = batches_in_three
    whole.run()
    cut = make_trainer(tmp_path / "cut")
    cut.batches = broken
    with pytest.raises(PictureError):
        cut.run()
    again = make_trainer(tmp_path / "cut")
    again.batches = batches_in_three
    again.run(resume=tmp_path / "cut")
    for name, tensor in weights_of(whole).items():
        assert torch.equal(weights_of(again)[name], tensor), name


def test_two_runs_in_one_folder_are_refused(tmp_path: Path) -> None:
    def start_another() -> None:
        with pytest.raises(OutputError, match="another run"):
            make_trainer(tmp_path).run()

    make_trainer(tmp_path).run(report=stop_at(3, start_another))
    assert len(log_of(tmp_path)) == 20
    make_trainer(tmp_path).run(resume=tmp_path)  # the lock is gone with its run


class Marks:
    """A validation that says what it is told to, and notes the weights that it saw."""

    def __init__(self, *scores: float) -> None:
        self.scores, self.seen = iter(scores), []
        self.trainer: Trainer | None = None

    def __call__(self) -> Mapping[str, float]:
        assert self.trainer is not None
        self.seen.append({name: tensor.clone() for name, tensor in weights_of(self.trainer).items()})
        return {"top1": next(self.scores), "loss": 0.0}


def validated(out: Path, marks: Marks, **plan: Any) -> Trainer:
    marks.trainer = make_trainer(out, validate=marks, validate_every=4, **plan)
    return marks.trainer


def test_the_best_weights_by_validation_are_released_beside_the_last(tmp_path: Path) -> None:
    marks = Marks(0.2, 0.6, 0.6, 0.5, 0.1)
    result = validated(tmp_path, marks).run()
    assert result.best == {"iteration": 8, "score": 0.6} and result.iteration == 20
    best, last = (torch.load(tmp_path / f"{name}.pt", weights_only=True) for name in ("best", "last"))
    assert best["epoch"] == 2 and last["epoch"] == 5
    for name, tensor in marks.seen[1].items():
        assert torch.equal(best["model_state_dict"][name], tensor)
        assert torch.equal(last["model_state_dict"][name], marks.seen[4][name])
    lines = log_of(tmp_path)
    assert lines[7]["validation"] == {"top1": 0.6, "loss": 0.0} and "validation" not in lines[8]


def test_a_run_without_a_better_score_ends_early_and_a_resumed_one_counts_on(tmp_path: Path) -> None:
    assert validated(tmp_path / "a", Marks(0.5, 0.4, 0.4), patience=2).run().iteration == 12
    with pytest.raises(RuntimeError, match="power cut"):
        validated(tmp_path / "b", Marks(0.5, 0.4), patience=2, save_every=4).run(report=stop_at(8, lose_power))
    result = validated(tmp_path / "b", Marks(0.4), patience=2).run(resume=tmp_path / "b")
    assert result.iteration == 12 and not result.stopped and result.best == {"iteration": 4, "score": 0.5}


def test_a_run_that_ended_early_stays_as_it_is_when_it_is_resumed(tmp_path: Path) -> None:
    validated(tmp_path, Marks(0.5, 0.4, 0.4), patience=2).run()
    last = (tmp_path / "last.safetensors").read_bytes()
    result = validated(tmp_path, Marks(), patience=2).run(resume=tmp_path)
    assert result.iteration == 12 and (tmp_path / "last.safetensors").read_bytes() == last


def test_a_score_that_is_no_number_is_never_the_best(tmp_path: Path) -> None:
    nan = float("nan")
    assert validated(tmp_path, Marks(nan, 0.5, nan, 0.4, nan)).run().best == {"iteration": 8, "score": 0.5}


def test_a_validation_without_a_figure_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="no figure"):
        make_trainer(tmp_path, validate=dict, validate_every=4).run()


def test_a_plan_that_validates_on_nothing_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="validation section"):
        make_trainer(tmp_path, validate_every=4)


def test_the_running_mean_is_what_is_judged_released_and_resumed(tmp_path: Path) -> None:
    marks = Marks(*range(5))
    whole = validated(tmp_path / "whole", marks, ema=0.9)
    whole.run()
    released = torch.load(tmp_path / "whole/last.pt", weights_only=True)["model_state_dict"]
    for name, tensor in weights_of(whole).items():
        assert torch.equal(released[name], marks.seen[4][name]) and not torch.equal(released[name], tensor)
    with pytest.raises(RuntimeError, match="power cut"):
        validated(tmp_path / "cut", Marks(*range(5)), ema=0.9).run(report=stop_at(13, lose_power))
    validated(tmp_path / "cut", Marks(*range(5)), ema=0.9).run(resume=tmp_path / "cut")
    again = torch.load(tmp_path / "cut/last.pt", weights_only=True)["model_state_dict"]
    assert all(torch.equal(again[name], tensor) for name, tensor in released.items())


def test_a_plan_shorter_than_the_checkpoint_is_refused(tmp_path: Path) -> None:
    make_trainer(tmp_path, iterations=10).run()
    with pytest.raises(UsageError, match="10 updates already"):
        make_trainer(tmp_path, iterations=5).run(resume=tmp_path)


def test_the_log_of_a_run_that_goes_on_elsewhere_holds_each_update_once(tmp_path: Path) -> None:
    make_trainer(tmp_path / "first", iterations=5).run()
    with pytest.raises(RuntimeError, match="power cut"):
        make_trainer(tmp_path / "second").run(resume=tmp_path / "first", report=stop_at(12, lose_power))
    with (tmp_path / "second/train.jsonl").open("a") as log:
        log.write('no line of ours\n{"iteration": 1')  # what a disk or a kill may leave
    make_trainer(tmp_path / "second").run(resume=tmp_path / "second")
    assert [line["iteration"] for line in log_of(tmp_path / "second")] == list(range(5, 20))


def test_a_folder_that_cannot_be_written_is_an_error_of_the_user(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="--out"):
        make_trainer(tmp_path / "file").run()
