"""The card tells apart what gives other figures, and nothing else."""

from __future__ import annotations

import torch
from torch import nn

from densevl.tasks.protocol_card import describe_model


class Normalising(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("mean", torch.tensor([0.5, 0.25, 0.125]).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.full((3, 1, 1), 0.2), persistent=False)


class Model(nn.Module):
    """What `densevl.load` sets."""

    name, config_text, dtype, device = "tiny", "model = 1", torch.float32, torch.device("cpu")

    def __init__(self, *parts: nn.Module, weight: float = 1.0) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts)
        self.weight = nn.Parameter(torch.tensor([weight]))


def test_the_model_is_told_with_its_normalisation_where_it_shows_one() -> None:
    assert describe_model(Model())["normalisation"] == "the model's own"
    told = describe_model(Model(Normalising()))
    assert told["normalisation"] == {"mean": [0.5, 0.25, 0.125], "std": [0.2, 0.2, 0.2]}
    assert (told["precision"], told["device"], told["model"]) == ("float32", "cpu", "tiny")


def test_other_weights_have_another_hash() -> None:
    one, same, other = (describe_model(Model(weight=weight))["weights"] for weight in (1.0, 1.0, 2.0))
    assert one == same != other
