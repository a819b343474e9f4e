"""Learning rates, layer by layer."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from densevl.core.errors import UsageError
from densevl.engine.groups import layer_groups

LAYERS = [[nn.Parameter(torch.zeros(2))], [], [nn.Parameter(torch.zeros(3)), nn.Parameter(torch.zeros(1))]]


def test_each_layer_has_a_lower_rate_than_the_one_behind_it() -> None:
    groups = layer_groups(LAYERS, rate=0.8, layer_decay=0.5, betas=(0.9, 0.98))
    assert [group["lr"] for group in groups] == pytest.approx([0.2, 0.8])
    assert [len(group["params"]) for group in groups] == [1, 2] and groups[0]["betas"] == (0.9, 0.98)


def test_one_rate_is_one_group_with_every_parameter_once() -> None:
    (group,) = layer_groups(LAYERS, rate=0.8)
    assert group["lr"] == 0.8 and len({id(parameter) for parameter in group["params"]}) == 3


@pytest.mark.parametrize("layers, decay", [([[], []], 1.0), (LAYERS, 0.0), (LAYERS, 1.1)])
def test_nothing_to_train_and_decays_out_of_range_are_refused(layers: list[list[nn.Parameter]], decay: float) -> None:
    with pytest.raises(UsageError):
        layer_groups(layers, rate=1.0, layer_decay=decay)
