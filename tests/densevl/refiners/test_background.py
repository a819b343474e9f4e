"""The found rule."""

from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ClassListError, ConfigError
from densevl.core.structures import FeatureMap, TextBank
from densevl.refiners import FoundRule


def make_bank(*names: str) -> TextBank:
    return TextBank(torch.zeros(len(names), 4), torch.arange(len(names)), names)


def apply(scores: torch.Tensor, objectness: torch.Tensor, bank: TextBank, delta: float = 0.9) -> torch.Tensor:
    feature_map = FeatureMap(torch.zeros(len(scores), 4, *objectness.shape[2:]), objectness=objectness)
    return FoundRule(delta)(scores, pixels=torch.empty(0), feature_map=feature_map, bank=bank)


def test_only_unsure_patches_without_an_object_become_background() -> None:
    # four patches: sure and object, sure and none, unsure and object, unsure and none
    first = torch.tensor([0.95, 0.95, 0.5, 0.5])
    scores = torch.stack([first, 1 - first])[None, :, None]  # [1, 2, 1, 4]
    objectness = torch.tensor([3.0, -3.0, 3.0, -3.0])[None, None, None]
    found = apply(scores, objectness, make_bank("cat", "background"))
    assert found[0, 1, 0].tolist() == pytest.approx([0.05, 0.05, 0.5, 1.0])
    torch.testing.assert_close(found[0, 0], scores[0, 0])


def test_each_picture_of_a_batch_is_judged_alone_in_any_memory_layout() -> None:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(3, 4, 5, 6, generator=generator).softmax(1)
    objectness = torch.randn(3, 1, 5, 6, generator=generator)
    bank = make_bank("background", "a", "b", "c")
    together = apply(scores.contiguous(memory_format=torch.channels_last), objectness, bank)
    singles = torch.cat([apply(scores[i : i + 1], objectness[i : i + 1], bank) for i in range(3)])
    torch.testing.assert_close(together, singles, atol=0, rtol=0)
    assert (together == 1).any(dim=(1, 2, 3)).all()


def test_the_input_stays_as_it_is() -> None:
    scores = torch.full((1, 2, 1, 1), 0.5)
    apply(scores, torch.full((1, 1, 1, 1), -3.0), make_bank("background", "a"))
    assert scores.tolist() == [[[[0.5]], [[0.5]]]]


def test_objectness_on_another_grid_is_resized() -> None:
    scores = torch.full((1, 2, 4, 6), 0.5)
    assert (apply(scores, torch.full((1, 1, 2, 3), -3.0), make_bank("background", "a"))[:, 0] == 1).all()


def test_without_background_class_or_objectness_it_says_what_is_missing() -> None:
    scores = torch.full((1, 2, 1, 1), 0.5)
    with pytest.raises(ClassListError, match="add a class named background"):
        apply(scores, torch.zeros(1, 1, 1, 1), make_bank("cat", "dog"))
    with pytest.raises(ConfigError, match="objectness"):
        FoundRule()(
            scores,
            pixels=torch.empty(0),
            feature_map=FeatureMap(torch.zeros(1, 4, 1, 1)),
            bank=make_bank("background", "a"),
        )
