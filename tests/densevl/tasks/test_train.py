"""From a training config to a trainer and its release."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from densevl.core.errors import ConfigError, TrainingError, UsageError
from densevl.engine.ranks import Ranks
from densevl.engine.trainer import Trainer
from densevl.tasks.train import make_trainer

CONFIG: dict[str, Any] = {
    "train": {
        "type": "densevl.tasks.train_dinoiser.DINOiserStep",
        "extractor": {
            "type": "densevl.extractors.MaskCLIPExtractor",
            "clip_model": {"type": "tests.tiny.tiny_clip"},
            "guide_block": -3,
        },
        "student": {"type": "densevl.refiners.DINOiserRefiner", "guide_channels": 48, "affinity_channels": 8},
        "teachers": {
            "type": "densevl.tasks.dinoiser_teachers.DINOiserTeachers",
            "dino": {"type": "tests.tiny.tiny_dino"},
            "found": {"type": "tests.tiny.tiny_found"},
        },
    },
    "plan": {"type": "densevl.engine.plan.TrainPlan", "iterations": 2, "seed": 5},
    "data": {
        "type": "densevl.data.crops.TrainingCrops",
        "rule": {"type": "densevl.data.crops.CropRule", "size": 64},
        "batch_size": 2,
    },
}


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    (tmp_path / "pictures").mkdir()
    for number in range(3):
        Image.fromarray(np.full((70, 80, 3), 60 * number, np.uint8)).save(tmp_path / f"pictures/{number}.png")
    return tmp_path / "pictures"


def make(pictures: Path, out: Path, **sections: Any) -> Trainer:
    config = {**CONFIG, **sections}
    return make_trainer(config, data=pictures, out=out, device=torch.device("cpu"), dtype=torch.float32, ranks=Ranks())


def test_the_seed_of_the_plan_draws_the_first_weights(pictures: Path, tmp_path: Path) -> None:
    first, again = (make(pictures, tmp_path / "out").updater.step.trained.state_dict() for _ in range(2))
    other = make(pictures, tmp_path / "out", plan={**CONFIG["plan"], "seed": 6}).updater.step.trained.state_dict()
    for name, tensor in first.items():
        assert torch.equal(again[name], tensor)
        assert not torch.equal(other[name], tensor)


def test_what_a_resumed_run_must_share_leaves_length_and_workers_free(pictures: Path, tmp_path: Path) -> None:
    settings = make(pictures, tmp_path / "out").settings
    assert settings["plan.seed"] == "5" and settings["precision"] == "float32"
    assert settings["data"].startswith("3 (")
    (pictures / "0.png").rename(pictures / "other.png")
    assert make(pictures, tmp_path / "out").settings["data"] != settings["data"]
    assert settings["train.student.affinity_channels"] == "8"
    assert "plan.iterations" not in settings and "plan.save_every" not in settings


def test_a_cosine_is_of_one_length_and_steps_of_any(pictures: Path, tmp_path: Path) -> None:
    schedule = {"type": "densevl.engine.schedules.WarmupCosine"}
    cosine = make(pictures, tmp_path / "out", plan={**CONFIG["plan"], "schedule": schedule})
    assert cosine.settings["run"] == "2 updates" and "run" not in make(pictures, tmp_path / "out").settings


def test_a_plan_of_epochs_counts_the_updates_of_the_set(pictures: Path, tmp_path: Path) -> None:
    trainer = make(pictures, tmp_path / "out", plan={"type": "densevl.engine.plan.TrainPlan", "epochs": 5})
    assert trainer.plan.iterations == 10 and trainer.per_epoch == 2  # three pictures, two a batch
    assert "plan.epochs" not in trainer.settings  # a run may be longer when it goes on


def test_a_missing_section_and_too_large_a_batch_are_refused_at_once(pictures: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="missing here: train"):
        cpu = torch.device("cpu")
        make_trainer(
            {"plan": {}, "data": {}}, data=pictures, out=tmp_path, device=cpu, dtype=torch.float32, ranks=Ranks()
        )
    with pytest.raises(TrainingError, match="set of 3"):
        make(pictures, tmp_path, data={**CONFIG["data"], "batch_size": 4})


@pytest.mark.parametrize(
    "data, error, words",
    [
        ({"batch_size": None}, UsageError, "data.batch_size .* got None"),
        ({"batch_size": "two"}, UsageError, "data.batch_size .* got 'two'"),
        ({"batch_size": 2, "subset": -3}, UsageError, "data.subset .* got -3"),
        ({"batch_size": 2, "workers": -1}, UsageError, "data.workers .* got -1"),
        ({"batch_size": 2, "batchsize": 2}, ConfigError, "batchsize"),
    ],
)
def test_faulty_numbers_of_the_data_are_named(
    pictures: Path, tmp_path: Path, data: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make(pictures, tmp_path, data={**CONFIG["data"], **data})
