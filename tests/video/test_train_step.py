"""Fine-tuning a recogniser: the loss, what is moved, and whole runs from the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file

from densevl.cli.app import main
from tests.clips import make_clip
from tests.video.models.tiny_vifi import HEADS, tiny_video, token_table
from tests.video.tiny_training import prompted, tuned
from video.mixing import ClipMixer
from video.models import ViFiCLIP
from video.sampling import FrameRule
from video.train_step import FineTuneStep
from video.transforms import TrainingView

ROOT = Path(__file__).resolve().parents[2]
NAMES = ("running", "playing_chess", "cooking", "yoga")
BATCH = {"video": tiny_video(4), "labels": torch.tensor([0, 3, 1, 2])}
CONFIG = """
train = dict(
    type="video.train_step.FineTuneStep",
    recogniser=dict(type="tests.video.tiny_training.tuned"),
    training_set="$training_set",
    rate=1e-3,
    layer_decay=0.75,
    mixer=dict(type="video.mixing.ClipMixer"),
    smoothing=0.1,
)
plan = dict(
    type="densevl.engine.plan.TrainPlan",
    epochs=4,
    schedule=dict(type="densevl.engine.schedules.WarmupCosine", warmup_epochs=1, floor=0.01, from_start=True, lag=1),
    save_every=3,
    ema=0.9,
)
data = dict(
    type="video.dataset.TrainingClips",
    clip_list="train.txt",
    classes=["running", "chess", "cooking"],
    view=dict(type="video.transforms.TrainingView", size=64, normalization=None),
    frames=dict(type="video.sampling.FrameRule", num_frames=2),
    batch_size=2,
)
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    for number in range(5):
        make_clip(root / f"{number}.mp4", frames=9, size=(72, 96))
    (root / "train.txt").write_text("\n".join(f"{number}.mp4 {number % 3}" for number in range(5)))
    (root / "train_config.py").write_text(CONFIG)
    return root


def make_step(recogniser: ViFiCLIP, **options: Any) -> FineTuneStep:
    training_set = SimpleNamespace(class_names=NAMES, view=TrainingView(64), frames=FrameRule(3))
    return FineTuneStep(recogniser, training_set, **{"rate": 1e-3, **options})


def command(folder: Path, out: Path, *settings: str) -> list[str]:
    flags = [flag for setting in settings for flag in ("--set", setting)]
    return [
        "train",
        str(folder / "train_config.py"),
        "--data",
        str(folder),
        "--out",
        str(out),
        "--device",
        "cpu",
        *flags,
    ]


def test_the_loss_is_the_cross_entropy_with_the_names_of_the_training_set() -> None:
    step = make_step(tuned(), smoothing=0.1)
    scores = step.recogniser(BATCH["video"], step.recogniser.text_bank(NAMES))
    expected = F.cross_entropy(scores, BATCH["labels"], label_smoothing=0.1)
    torch.testing.assert_close(step(BATCH)["classes"], expected)
    plain = make_step(tuned())(BATCH)["classes"]
    torch.testing.assert_close(plain, F.cross_entropy(scores, BATCH["labels"]))


def test_mixing_is_drawn_from_torchs_generator_alone() -> None:
    step = make_step(tuned(), mixer=ClipMixer())
    losses = []
    for seed in (1, 1, 2):
        torch.manual_seed(seed)
        losses.append(step(BATCH)["classes"].item())
    assert losses[0] == losses[1] != losses[2]


@pytest.mark.parametrize("build, trained", [(tuned, "both"), (tuned, "image"), (tuned, "text"), (prompted, "prompts")])
def test_every_trained_parameter_is_in_one_group_and_gets_a_gradient(build: Any, trained: str) -> None:
    step = make_step(build(trained=trained), layer_decay=0.5)
    groups = step.parameter_groups()
    listed = [parameter for group in groups for parameter in group["params"]]
    wanted = [parameter for parameter in step.parameters() if parameter.requires_grad]
    assert {id(parameter) for parameter in listed} == {id(parameter) for parameter in wanted}
    assert len(listed) == len(wanted) and all(group["betas"] == (0.9, 0.98) for group in groups)
    step(BATCH)["classes"].backward()
    assert all(parameter.grad is not None for parameter in listed)
    rates = {group["lr"] for group in groups}
    assert len(rates) == len(groups) and max(rates) <= 1e-3


def test_the_words_of_a_frozen_text_tower_are_encoded_once(monkeypatch: pytest.MonkeyPatch) -> None:
    calls = {"image": 0, "both": 0}
    for trained in calls:
        step = make_step(tuned(trained=trained))
        encode = step.recogniser.text_bank
        monkeypatch.setattr(
            step.recogniser, "text_bank", lambda t=trained, e=encode: calls.update({t: calls[t] + 1}) or e()
        )
        losses = [step(BATCH)["classes"] for _ in range(3)]
        assert torch.equal(losses[0], losses[2])
    assert calls == {"image": 1, "both": 3}


def test_a_run_learns_writes_the_published_file_and_resumes_to_the_same_bytes(folder: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(command(folder, whole)) == 0
    lines = [json.loads(line) for line in (whole / "train.jsonl").read_text().splitlines()]
    assert len(lines) == 12 and lines[0]["rates"] == [0.0] * len(lines[0]["rates"])  # 4 epochs of 3; the rate lags
    published = torch.load(whole / "last.pt", weights_only=True)
    assert published["views"] == {"size": 64, "num_frames": 2, "rule": "segment", "stride": 1}
    assert published["epoch"] == 4 and all(name.startswith("module.") for name in published["model"])
    model = ViFiCLIP.from_state_dict(published["model"], token_table=token_table(), num_heads=HEADS)
    assert torch.isfinite(model(tiny_video(), model.text_bank(NAMES))).all()

    process = subprocess.Popen(
        [sys.executable, "-m", "densevl", *command(folder, cut)],
        cwd=ROOT,
        stderr=subprocess.PIPE,
        text=True,
    )
    log = cut / "train.jsonl"
    while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= 5):
        time.sleep(0.02)
    process.terminate()
    assert process.wait() == 130, process.stderr.read()
    assert main([*command(folder, cut), "--resume"]) == 0
    assert (cut / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_bad_input_gets_one_message_and_its_code(
    folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(folder, out, "plan.iterations=2")) == 0
    cases = [
        ([*command(folder, out, "train.rate=0.1"), "--resume"], 2, "train.rate was '0.001' and is '0.1'"),
        ([*command(folder, out, "plan.epochs=5"), "--resume"], 2, "run was '2 updates' and is '15 updates'"),
        (command(folder, tmp_path / "new", "data.batch_size=6"), 3, "a batch of 6 from a set of 5"),
        (command(folder, tmp_path / "new", "data.classes=('a','b')"), 3, "label"),
        (command(folder, tmp_path / "new", "data.clip_list='gone.txt'"), 3, "gone.txt"),
    ]
    for argv, code, words in cases:
        capsys.readouterr()
        assert main(argv) == code, argv
        error = capsys.readouterr().err
        assert words in error and "Traceback" not in error, error


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_same_batches(folder: Path, tmp_path: Path) -> None:
    # the published rate of zero-shot training: at much higher ones AdamW makes steps of the rounding errors in
    # gradients that are truly 0, those of the keys' biases
    settings = (
        "train.mixer=None",
        "train.smoothing=0.1",
        "train.rate=8e-6",
        "data.batch_size=5",
        "plan.accumulate=2",
        "plan.epochs=12",
        "plan.ema=None",
    )
    assert main(command(folder, tmp_path / "one", *settings)) == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "densevl"]
    run = subprocess.run(
        [*torchrun, *command(folder, tmp_path / "two", *settings)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert run.returncode == 0, run.stderr
    one, two = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    start, moved = make_step(tuned()).release(0)["model"], 0.0
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-6, rtol=0)
        if not name.startswith("module.prompt_learner"):
            moved = max(moved, float((tensor - start[name]).abs().max()))
    assert moved > 1e-5  # ten times what they may differ by
