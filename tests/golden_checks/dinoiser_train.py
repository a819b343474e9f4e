"""Three steps of CLIP-DINOiser's training: targets, losses and weights."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch

from densevl.core.structures import BatchPart, FeatureMap
from densevl.engine.plan import TrainPlan
from densevl.engine.ranks import Ranks
from densevl.engine.schedules import MultiStep
from densevl.engine.trainer import Trainer
from densevl.engine.updates import Updater
from densevl.extractors import MaskCLIPExtractor
from densevl.refiners import DINOiserRefiner
from densevl.tasks.dinoiser_teachers import DINOiserTeachers
from densevl.tasks.train_dinoiser import DINOiserStep
from tests.golden_checks import checks
from tests.golden_checks.dinoclip import golden_dino, golden_found
from tests.golden_checks.maskclip import golden_clip
from tests.golden_reader import FOLDER, GoldenFile, assert_close

ATOL = 1e-5
LOSS_RTOL, WEIGHT_RTOL = 1e-5, 1e-3


def golden_step(file: GoldenFile) -> DINOiserStep:
    config, folder = file.config, file.stem.rpartition("/")[0]
    shapes = file.sibling("maskclip_gelu").config
    clip_model = golden_clip(file, {**config, "clip": shapes["clip"], "weights": shapes["weights"]})
    teachers = file.sibling(config["teachers"].removesuffix(".npz"))
    tap = file.sibling("clip_dinoiser").config["feats_idx"]
    return DINOiserStep(
        MaskCLIPExtractor(clip_model, guide_block=tap),
        DINOiserRefiner.from_checkpoint(FOLDER / f"{folder}/{config['init']}", threshold=config["gamma"]),
        teachers=DINOiserTeachers(
            golden_dino(teachers, config),
            golden_found(teachers, config),
            kind=config["dino_feats"],
            threshold=config["gamma"],
        ),
        rates=(config["train"]["corr_lr"], config["train"]["found_lr"]),
    )


@checks("segmentation/dinoiser_train")
def check_training(file: GoldenFile) -> None:
    step, train = golden_step(file), file.config["train"]
    expected = file["losses"]
    _check_first(file, step)
    plan = TrainPlan(len(expected), MultiStep(train["milestones"], train["step_lr_gamma"]))
    lines: list[Mapping[str, Any]] = []
    with TemporaryDirectory() as folder:
        images = (BatchPart(file.tensor(f"image{iteration}")) for iteration in range(len(expected)))
        updater = Updater(step, plan, dtype=torch.float32, ranks=Ranks())
        Trainer(updater, lambda start: images, out=Path(folder), settings={}, per_epoch=1).run(report=lines.append)
    losses = [sum(line["losses"].values()) for line in lines]
    np.testing.assert_allclose(losses, expected, rtol=LOSS_RTOL)
    weights = step.trained.to_checkpoint(0)["model_state_dict"]
    assert len(weights) == len(file.keys("after"))
    for key in file.keys("after"):
        assert_close(weights[key.split("/")[1]], file[key], atol=0, rtol=WEIGHT_RTOL)


@torch.no_grad()
def _check_first(file: GoldenFile, step: DINOiserStep) -> None:
    pixels = file.tensor("image0")
    guide = step.read_guide(pixels)
    grid = tuple(guide.shape[2:])
    pairs, objects = step.teachers(pixels, grid)
    objectness = step.trained(FeatureMap(guide, guide)).objectness
    found = {
        "pred_corrs_clamped": step.correlate(guide).unflatten(2, grid),
        "bkg_logits": objectness,
        "dino_target": pairs.unflatten(2, grid).to(torch.uint8),
        "found_target": objects.to(torch.uint8),
    }
    for key in file.keys("step0_"):
        assert_close(found[key.removeprefix("step0_")], file[key], atol=ATOL)
