"""Validation within a training run: figures, modes and random states as they were, unreadable clips, the trainer."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from densevl.cli.app import main
from densevl.core.errors import ClipError, DataError, UnknownNameError
from densevl.core.structures import TextBank
from tests.video.evaluate.colour_set import NAMES
from tests.video.fakes import ColourRecogniser
from video.evaluate.validation import Validation
from video.views import ClipViews

ROOT = Path(__file__).resolve().parents[3]
VIEWS = ClipViews(size=32, num_frames=2, views=2)


class ColourStep(nn.Module):
    """What validation asks of a step; dropout would spoil its answers, and one part never trains."""

    def __init__(self) -> None:
        super().__init__()
        self.recogniser = ColourRecogniser()
        self.recogniser.noise = nn.Dropout(0.9)
        self.frozen = nn.BatchNorm1d(2).eval()

    def text_bank(self) -> TextBank:
        vectors = nn.functional.normalize(self.recogniser.text_features(NAMES), dim=-1)
        return TextBank(vectors, torch.arange(3), NAMES)


def validation(root: Path, step: Any = None, **options: Any) -> Validation:
    training_set = SimpleNamespace(root=root, class_names=NAMES)
    options = {"clip_list": "list.txt", "views": VIEWS, "workers": 1, **options}
    return Validation(step or ColourStep(), training_set, **options)  # type: ignore[arg-type]


def test_the_figures_are_those_of_the_list_and_the_first_one_decides(colours: Path) -> None:
    found = validation(colours)()
    assert list(found) == ["top1", "top5", "mean_class"]
    assert found["top1"] == pytest.approx(500 / 7)
    assert found["mean_class"] == pytest.approx(100 * (1 + 2 / 3 + 1 / 2) / 3)


def test_modes_gradients_and_random_states_are_left_as_they_were(colours: Path) -> None:
    step = ColourStep().train()
    step.frozen.eval()
    modes: list[bool] = []
    features = step.recogniser.video_features

    def note(video: Tensor) -> Tensor:
        modes.append(step.recogniser.noise.training or torch.is_grad_enabled())
        return features(video)

    step.recogniser.video_features = note  # type: ignore[method-assign]
    before = torch.get_rng_state()
    validation(colours, step)()
    assert modes == [False] * 7
    assert torch.equal(torch.get_rng_state(), before)
    assert step.training and step.recogniser.noise.training and not step.frozen.training
    assert step.recogniser.scale.requires_grad


def test_views_go_through_the_model_in_parts(colours: Path) -> None:
    whole, parts = (validation(colours, view_batch=batch) for batch in (8, 1))
    assert whole() == parts()
    assert parts.step.recogniser.clips == 14


@pytest.mark.parametrize(("policy", "top1"), [("count-as-wrong", 400 / 7), ("skip", 400 / 6)])
def test_a_clip_that_cannot_be_read_counts_by_the_policy_and_is_warned_of_once(
    colours: Path, policy: str, top1: float, caplog: pytest.LogCaptureFixture
) -> None:
    (colours / "0.mp4").unlink()
    judge = validation(colours, policy=policy)
    assert judge()["top1"] == judge()["top1"] == pytest.approx(top1)
    assert caplog.text.count("0.mp4") == 1


def test_bad_input_is_refused(colours: Path) -> None:
    (colours / "0.mp4").unlink()
    with pytest.raises(ClipError, match=r"0\.mp4"):
        validation(colours, policy="raise")()
    with pytest.raises(UnknownNameError, match="count-as-wrong"):
        validation(colours, policy="ignore")
    with pytest.raises(DataError, match=r"gone\.txt"):
        validation(colours, clip_list="gone.txt")


CONFIG = """
train = dict(
    type="video.train_step.FineTuneStep",
    recogniser=dict(type="tests.video.tiny_training.tuned"),
    training_set="$training_set",
    rate=1e-3,
)
plan = dict(type="densevl.engine.plan.TrainPlan", iterations=4, save_every=2, validate_every=2, ema=0.5)
data = dict(
    type="video.dataset.TrainingClips",
    clip_list="list.txt",
    classes="classes.csv",
    view=dict(type="video.transforms.TrainingView", size=64, normalization=None),
    frames=dict(type="video.sampling.FrameRule", num_frames=2),
    batch_size=2,
)
validation = dict(
    type="video.evaluate.Validation",
    step="$step",
    training_set="$training_set",
    clip_list="list.txt",
    views=dict(type="video.views.ClipViews", size=64, num_frames=2),
    workers=1,
)
"""


def test_the_trainer_calls_it_and_keeps_the_best_weights(colours: Path, tmp_path: Path) -> None:
    (colours / "train.py").write_text(CONFIG)
    argv = [
        "train",
        str(colours / "train.py"),
        "--data",
        str(colours),
        "--out",
        str(tmp_path / "run"),
        "--device",
        "cpu",
    ]
    assert main(argv) == 0
    lines = [json.loads(line) for line in (tmp_path / "run" / "train.jsonl").read_text().splitlines()]
    judged = [set(line["validation"]) for line in lines if "validation" in line]
    assert judged == [{"top1", "top5", "mean_class"}] * 2
    assert (tmp_path / "run" / "best.pt").is_file()


SCRIPT = """
import json, sys, torch
from pathlib import Path
from densevl.engine.ranks import join_ranks
from tests.video.evaluate.test_validation import validation

with join_ranks(torch.device("cpu")) as ranks:
    judge = validation(Path(sys.argv[1]))
    Path(sys.argv[2], f"{ranks.rank}.json").write_text(json.dumps([judge(), judge.step.recogniser.clips]))
"""


@pytest.mark.slow
def test_two_processes_share_the_clips_and_agree_on_the_figures_of_one(colours: Path, tmp_path: Path) -> None:
    (colours / "0.mp4").unlink()  # one process has three clips, the other four, of which one cannot be read
    script = tmp_path / "validate.py"
    script.write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2"]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    argv = [*torchrun, str(script), str(colours), str(tmp_path)]
    run = subprocess.run(argv, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    answers = [json.loads((tmp_path / f"{rank}.json").read_text()) for rank in (0, 1)]
    alone = validation(colours)()
    assert [figures for figures, _ in answers] == [alone, alone]
    assert [clips for _, clips in answers] == [6, 6]
