"""One update: parts, half precision, mappings of tensors."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from densevl.core.errors import TrainingError, UsageError
from densevl.core.structures import BatchPart
from densevl.engine.plan import TrainPlan
from densevl.engine.ranks import Ranks
from densevl.engine.updates import Updater


class LabelledStep(nn.Module):
    """Cross entropy of a linear layer; `blow` multiplies the loss."""

    def __init__(self, blow: float = 1.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.trained, self.blow = nn.Linear(4, 3), blow

    def forward(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        scores = self.trained(batch["rows"])
        return {"classes": nn.functional.cross_entropy(scores.float(), batch["labels"]) * self.blow}

    def parameter_groups(self) -> list[dict[str, Any]]:
        return [{"params": list(self.trained.parameters()), "lr": 1e-2}]

    def release(self, epoch: int) -> Mapping[str, Any]:
        return {"model_state_dict": self.trained.state_dict()}


def make_batch(rows: int = 5) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return {"rows": torch.randn(rows, 4, generator=generator), "labels": torch.arange(rows) % 3}


def whole_batch() -> Iterator[BatchPart]:
    return iter([BatchPart(make_batch())])


def make_updater(step: nn.Module, *, dtype: torch.dtype = torch.float32, **plan: Any) -> Updater:
    return Updater(step, TrainPlan(10, **plan), dtype=dtype, ranks=Ranks())


def test_parts_of_unequal_size_give_the_losses_and_weights_of_the_whole() -> None:
    whole, cut = LabelledStep(), LabelledStep()
    expected = make_updater(whole).update(0, iter([BatchPart(make_batch())]))
    parts = [{name: tensor[rows] for name, tensor in make_batch().items()} for rows in (slice(3), slice(3, 5))]
    stream = iter([BatchPart(parts[0], 0.6, last=False), BatchPart(parts[1], 0.4), BatchPart(None)])
    found = make_updater(cut).update(0, stream)
    assert found["losses"] == pytest.approx(expected["losses"], rel=1e-6)
    for one, other in zip(whole.parameters(), cut.parameters(), strict=True):
        torch.testing.assert_close(one, other, atol=1e-6, rtol=1e-5)
    assert next(stream).items is None  # the next batch is left for the next update


def test_fp16_leaves_out_an_update_that_overflows_and_goes_on_at_a_lower_scale() -> None:
    step = LabelledStep(blow=100.0)
    updater = make_updater(step, dtype=torch.float16)
    before, scale = step.trained.weight.clone(), updater.scaler.get_scale()
    updater.update(0, whole_batch())
    assert torch.equal(step.trained.weight, before) and updater.scaler.get_scale() == scale / 2
    for iteration in range(1, 8):
        updater.update(iteration, whole_batch())
    assert not torch.equal(step.trained.weight, before) and torch.isfinite(step.trained.weight).all()


def test_fp16_whose_gradients_are_never_numbers_stops_instead_of_leaving_out_every_update() -> None:
    class RootStep(LabelledStep):
        def forward(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
            return {"root": (0 * super().forward(batch)["classes"]).sqrt()}  # 0, and its slope is 0 * inf

    updater = make_updater(RootStep(), dtype=torch.float16)
    with pytest.raises(TrainingError, match=r"gradient of iteration (2\d) .*norm nan"):
        for iteration in range(100):
            updater.update(iteration, whole_batch())


@pytest.mark.parametrize("rate", [0.0, -1e-3, float("nan")])
def test_a_rate_that_does_not_learn_is_refused(rate: float) -> None:
    class StillStep(LabelledStep):
        def parameter_groups(self) -> list[dict[str, Any]]:
            return [{"params": list(self.trained.parameters()), "lr": rate}]

    with pytest.raises(UsageError, match="learning rates"):
        make_updater(StillStep())


def test_groups_may_name_their_own_decay() -> None:
    class FreeStep(LabelledStep):
        def parameter_groups(self) -> list[dict[str, Any]]:
            return [
                {"params": [self.trained.weight], "lr": 1e-2},
                {"params": [self.trained.bias], "lr": 1.0, "weight_decay": 0.0},
            ]

    groups = make_updater(FreeStep(), weight_decay=0.3).optimizer.param_groups
    assert [group["weight_decay"] for group in groups] == [0.3, 0.0]
