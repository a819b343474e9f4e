"""One step of CLIP-DINOiser's training."""

from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ConfigError
from densevl.core.stages import TrainStep
from densevl.extractors import MaskCLIPExtractor
from densevl.refiners import DINOiserRefiner, FoundTeacher
from densevl.tasks.dinoiser_teachers import DINOiserTeachers
from densevl.tasks.train_dinoiser import DINOiserStep
from tests.tiny import TINY_CLIP, TINY_DINO, tiny_clip, tiny_dino


def make_step(guide_block: int | None = -3, **dino: int) -> DINOiserStep:
    torch.manual_seed(0)
    found = tiny_dino({**TINY_DINO, "patch": 8})
    return DINOiserStep(
        MaskCLIPExtractor(tiny_clip(), guide_block=guide_block),
        DINOiserRefiner(TINY_CLIP["vision_cfg"]["width"], 8),
        teachers=DINOiserTeachers(
            tiny_dino({**TINY_DINO, **dino}),
            FoundTeacher(found, torch.randn(1, found.embed_dim, 1, 1), torch.zeros(1)),
        ),
    )


def make_pixels(batch: int = 2) -> torch.Tensor:
    return torch.rand(batch, 3, 64, 96, generator=torch.Generator().manual_seed(1))


def test_both_losses_reach_the_two_convolutions_and_nothing_else() -> None:
    step = make_step()
    assert isinstance(step, TrainStep)
    losses = step(make_pixels())
    assert set(losses) == {"correlation", "objectness"}
    sum(losses.values()).backward()  # type: ignore[union-attr]
    assert all(parameter.grad is not None and parameter.grad.any() for parameter in step.trained.parameters())
    frozen = (step.extractor, step.teachers)
    assert not any(parameter.requires_grad for part in frozen for parameter in part.parameters())  # type: ignore[attr-defined]


def test_the_groups_hold_each_parameter_once_with_its_rate() -> None:
    step = make_step()
    groups = step.parameter_groups()
    assert [group["lr"] for group in groups] == [5e-5, 1e-2]
    assert [len(group["params"]) for group in groups] == [2, 2]
    assert {id(p) for group in groups for p in group["params"]} == {id(p) for p in step.trained.parameters()}


def test_the_loss_of_a_batch_is_the_mean_of_its_pictures() -> None:
    step, pixels = make_step(), make_pixels()
    together = step(pixels)
    singles = [step(pixels[i : i + 1]) for i in range(2)]
    for name, loss in together.items():
        torch.testing.assert_close(loss, (singles[0][name] + singles[1][name]) / 2, atol=1e-5, rtol=1e-4)


def test_a_few_steps_make_the_losses_smaller() -> None:
    step, pixels = make_step(), make_pixels()
    optimizer = torch.optim.AdamW([{**group, "lr": 1e-2} for group in step.parameter_groups()])
    totals = []
    for _ in range(12):
        loss = sum(step(pixels).values())
        totals.append(float(loss.detach()))  # type: ignore[union-attr]
        optimizer.zero_grad()
        loss.backward()  # type: ignore[union-attr]
        optimizer.step()
    assert totals[-1] < 0.95 * totals[0]


def test_an_extractor_without_guide_or_a_dino_of_another_patch_is_refused() -> None:
    with pytest.raises(ConfigError, match="guide_block"):
        make_step(guide_block=None)(make_pixels())
    with pytest.raises(ConfigError, match="patch size"):
        make_step(patch=8)(make_pixels())
