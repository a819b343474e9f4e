"""`densevl train` on a tiny CLIP and tiny teachers, from the command line to the published file."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from densevl.cli.app import main
from densevl.cli.train import Board, parse_assignments
from densevl.core.config import config_folder, read_config
from densevl.core.errors import UsageError
from densevl.data.loader import BatchOrder
from densevl.engine.plan import in_updates
from densevl.refiners import DINOiserRefiner

ROOT = Path(__file__).resolve().parents[3]
CONFIG = """
train = dict(
    type="densevl.tasks.train_dinoiser.DINOiserStep",
    extractor=dict(
        type="densevl.extractors.MaskCLIPExtractor", clip_model=dict(type="tests.tiny.tiny_clip"), guide_block=-3
    ),
    student=dict(type="densevl.refiners.DINOiserRefiner", guide_channels=48, affinity_channels=8),
    teachers=dict(
        type="densevl.tasks.dinoiser_teachers.DINOiserTeachers",
        dino=dict(type="tests.tiny.tiny_dino"),
        found=dict(type="tests.tiny.tiny_found"),
    ),
    rates=(1e-3, 1e-2),
)
plan = dict(type="densevl.engine.plan.TrainPlan", iterations=12, save_every=4)
data = dict(
    type="densevl.data.crops.TrainingCrops", rule=dict(type="densevl.data.crops.CropRule", size=64), batch_size=2
)
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "train_tiny.py"
    path.write_text(CONFIG)
    return path


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    generator = np.random.default_rng(0)
    for number in range(5):
        coarse = generator.integers(0, 256, (5, 7, 3), dtype=np.uint8)
        Image.fromarray(coarse).resize((98, 70), Image.Resampling.BICUBIC).save(folder / f"{number}.png")
    return folder


def command(config: Path, pictures: Path, out: Path, *flags: str) -> list[str]:
    return ["train", str(config), "--data", str(pictures), "--out", str(out), "--device", "cpu", *flags]


def test_a_run_learns_and_writes_the_published_file(
    config: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert main(command(config, pictures, out, "--json", "--set", "plan.iterations=40")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["iteration"] == 40 and found["last"] == str(out / "last.pt")
    lines = [json.loads(line) for line in (out / "train.jsonl").read_text().splitlines()]
    means = [np.mean([sum(line["losses"].values()) for line in part]) for part in (lines[:8], lines[-8:])]
    assert len(lines) == 40 and means[1] < means[0]
    published = torch.load(out / "last.pt", weights_only=True)
    assert published["epoch"] == 13  # 40 updates of 3 an epoch
    again = DINOiserRefiner.from_checkpoint(out / "last.pt").state_dict()
    for name, tensor in load_file(out / "last.safetensors").items():
        assert torch.equal(again[name], tensor)


def test_a_stopped_run_goes_on_with_resume_to_the_same_bytes(config: Path, pictures: Path, tmp_path: Path) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    assert main(command(config, pictures, whole)) == 0
    assert main(command(config, pictures, cut, "--set", "plan.iterations=5")) == 0
    assert main(command(config, pictures, cut, "--resume")) == 0
    assert (cut / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()


def test_a_dry_run_writes_nothing(
    config: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(command(config, pictures, tmp_path / "out", "--dry-run", "--json")) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["part"] == {"pixels": [2, 3, 64, 64]} and found["trained_tensors"] == 4 and found["peak_memory_mb"] > 0
    assert not (tmp_path / "out").exists()


def test_bad_input_gets_one_message_and_its_code(
    config: Path, pictures: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out, empty = tmp_path / "out", tmp_path / "empty"
    empty.mkdir()
    other = tmp_path / "other"
    shutil.copytree(pictures, other)
    (other / "0.png").rename(other / "9.png")
    assert main(command(config, pictures, out)) == 0
    cases = [
        (command(config, pictures, out), 2, "--resume"),
        (command(config, pictures, out, "--resume", "--set", "train.rates=(1.0, 1.0)"), 2, "train.rates"),
        (command(config, other, out, "--resume"), 2, "data was '5 ("),
        (command(config, pictures, out, "--resume", str(tmp_path / "elsewhere")), 2, "holds a run already"),
        (command(config, pictures, out, "--resume", str(out / "last.pt")), 4, "is no checkpoint"),
        (command(config, pictures, out, "--resume", "--set", "plan.iterations=3"), 2, "12 updates already"),
        (command(config, pictures, out, "--resume", "--set", "plan.epochs=9"), 2, "set those"),
        (command(config, pictures, tmp_path / "new", "--set", "train.rates=(1e-3,)"), 2, "train.rates are two"),
        (
            command(config, pictures, tmp_path / "new", "--set", "plan.seed=-1", "--set", "data.subset=3"),
            2,
            "plan.seed",
        ),
        (command(config, pictures, tmp_path / "new", "--set", "plan.iterations=abc"), 2, "plan.iterations"),
        (command(config, empty, tmp_path / "new"), 3, "no pictures"),
        (command(config, pictures, tmp_path / "new", "--set", "data.batch_size=9"), 3, "set of 5"),
        (command(config, pictures, tmp_path / "new", "--set", "plan.iteration"), 2, "KEY=VALUE"),
        (command(config, pictures, tmp_path / "new", "--set", "paln.iterations=3"), 2, "paln"),
        (command(config, pictures, tmp_path / "new", "--resume"), 4, "no checkpoint"),
        (command(config, pictures, tmp_path / "new", "--log", "wandb"), 2, "jsonl"),
        (command(tmp_path / "gone.py", pictures, tmp_path / "new"), 3, "gone.py"),
        (command(config, pictures, tmp_path / "nan", "--set", "train.rates=(1e30, 1e30)"), 3, "is no number"),
    ]
    for argv, code, words in cases:
        capsys.readouterr()
        assert main(argv) == code, argv
        error = capsys.readouterr().err
        assert words in error and "Traceback" not in error, error


def test_values_are_literals_or_text_and_never_run() -> None:
    assert parse_assignments(["a.b=3", "c=(1, 2)", "d=None", "e=vit-b", "f=__import__('os')"]) == {
        "a.b": 3,
        "c": (1, 2),
        "d": None,
        "e": "vit-b",
        "f": "__import__('os')",
    }
    with pytest.raises(UsageError):
        parse_assignments(["=3"])


def test_the_shipped_training_config_has_the_published_numbers() -> None:
    config = read_config(config_folder() / "segmentation/clip_dinoiser/train_clip_dinoiser_b16.py")
    assert config.train.rates == (5e-5, 1e-2) and config.train.extractor.guide_block == -3
    assert config.plan.schedule.milestones == [5000] and config.plan.schedule.gamma == 0.1
    assert (config.plan.epochs, config.data.subset, config.data.batch_size) == (100, 1000, 16)
    assert in_updates(config.plan, BatchOrder(1000, 16).per_epoch)["iterations"] == 6300


@pytest.mark.slow
def test_a_run_killed_at_random_moments_equals_an_unbroken_one_byte_for_byte(
    config: Path, pictures: Path, tmp_path: Path
) -> None:
    whole, cut = tmp_path / "whole", tmp_path / "cut"
    flags = ("--set", "plan.iterations=120", "--set", "plan.save_every=7")
    assert main(command(config, pictures, whole, *flags)) == 0
    moments = random.Random(0)
    for attempt in range(3):
        resume = ("--resume",) if (cut / "checkpoint.pt").exists() else ()
        argv = [sys.executable, "-m", "densevl", *command(config, pictures, cut, *flags, *resume)]
        process = subprocess.Popen(argv, cwd=ROOT, stderr=subprocess.DEVNULL)
        goal = 15 + 30 * attempt
        while process.poll() is None and lines_of(cut) < goal:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        process.send_signal(signal.SIGKILL)
        process.wait()
    assert 7 <= lines_of(cut) < 120
    assert main(command(config, pictures, cut, *flags, "--resume")) == 0
    assert (cut / "last.safetensors").read_bytes() == (whole / "last.safetensors").read_bytes()
    assert lines_of(cut) == lines_of(whole) == 120


def lines_of(out: Path) -> int:
    path = out / "train.jsonl"
    return path.read_text().count("\n") if path.exists() else 0


def test_tensorboard_gets_losses_rates_and_validation_and_forgets_what_a_resumed_run_does_again(tmp_path: Path) -> None:
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    for start, end in ((0, 4), (2, 5)):  # a checkpoint stood at 2 when the first was killed
        board = Board(tmp_path)
        for iteration in range(start, end):
            line = {"iteration": iteration, "losses": {"pairs": start + 0.5}, "rates": [0.1, 0.2]}
            board({**line, "validation": {"top1": 0.25}} if iteration == 4 else line)
        board.close()
    events = accumulator.EventAccumulator(str(tmp_path)).Reload()
    assert [(event.step, event.value) for event in events.Scalars("losses/pairs")] == [
        *((0, 0.5), (1, 0.5)),
        *((2, 2.5), (3, 2.5), (4, 2.5)),
    ]
    assert len(events.Scalars("rates/1")) == 5 and events.Scalars("validation/top1")[0].step == 4


def test_tensorboard_that_is_not_installed_is_named(
    config: Path, pictures: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    assert main(command(config, pictures, tmp_path / "out", "--log", "jsonl,tb")) == 2
    assert "pip install tensorboard" in capsys.readouterr().err


@pytest.mark.slow
def test_a_signal_to_the_whole_group_ends_with_a_checkpoint(config: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    argv = command(config, pictures, out, "--set", "plan.iterations=100000", "--set", "data.workers=2")
    process = subprocess.Popen(
        [sys.executable, "-m", "densevl", *argv], cwd=ROOT, stderr=subprocess.PIPE, start_new_session=True
    )
    while process.poll() is None and lines_of(out) < 3:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGTERM)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error.decode()
    assert b"--resume" in error and (out / "checkpoint.pt").is_file()


def test_a_run_killed_before_its_first_checkpoint_may_begin_anew(config: Path, pictures: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    (out / "train.jsonl").write_text('{"iteration": 0}\n')
    assert main(command(config, pictures, out)) == 0
    assert lines_of(out) == 12


@pytest.mark.slow
def test_a_damaged_picture_ends_a_run_with_workers_at_once(config: Path, pictures: Path, tmp_path: Path) -> None:
    (pictures / "3.png").write_bytes(b"no picture")
    argv = command(config, pictures, tmp_path / "out", "--set", "data.workers=2")
    ended = subprocess.run(
        [sys.executable, "-m", "densevl", *argv], cwd=ROOT, stderr=subprocess.PIPE, timeout=60, check=False
    )
    assert ended.returncode == 3 and b"3.png: not a picture" in ended.stderr and b"Traceback" not in ended.stderr


def test_another_place_of_the_teachers_cache_is_no_other_run(config: Path, pictures: Path, tmp_path: Path) -> None:
    out, flags = tmp_path / "out", ("--set", "plan.iterations=5")
    assert main(command(config, pictures, out, *flags)) == 0
    flags = ("--set", "plan.iterations=6", "--set", f"train.teachers.cache={str(tmp_path / 'kept')!r}")
    assert main(command(config, pictures, out, "--resume", *flags)) == 0
    assert len(list((tmp_path / "kept").glob("*.npz"))) == 1  # the sixth batch is the second of its epoch: one crop


@pytest.mark.slow
def test_two_processes_train_as_one_with_the_same_batches(config: Path, pictures: Path, tmp_path: Path) -> None:
    flags = ("--set", "data.batch_size=3", "--set", "plan.accumulate=2")
    assert main(command(config, pictures, tmp_path / "one", *flags)) == 0
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2", "-m", "densevl"]
    argv = [*torchrun, *command(config, pictures, tmp_path / "two", *flags, "--json")]
    run = subprocess.run(
        argv, cwd=ROOT, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.count("{") == 2  # one object with its losses: only the first process speaks
    assert lines_of(tmp_path / "two") == 12
    losses = [
        [json.loads(line)["losses"] for line in (tmp_path / name / "train.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    ]
    for one, two in zip(*losses, strict=True):
        assert two == pytest.approx(one, rel=1e-5)
    one, two = (load_file(tmp_path / name / "last.safetensors") for name in ("one", "two"))
    for name, tensor in one.items():
        torch.testing.assert_close(two[name], tensor, atol=1e-6, rtol=0)
