from __future__ import annotations

import pytest
import torch

from densevl.weights import hash_module


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_hash_follows_the_numbers_not_the_object(dtype: torch.dtype) -> None:
    one, other = torch.nn.Linear(2, 3).to(dtype), torch.nn.Linear(2, 3).to(dtype)
    other.load_state_dict(one.state_dict())
    assert hash_module(one) == hash_module(other) and len(hash_module(one)) == 64
    with torch.no_grad():
        other.bias[1] += 1
    assert hash_module(one) != hash_module(other)


def test_another_kind_shape_or_name_is_another_hash() -> None:
    plain = torch.nn.Linear(2, 3)
    found = {hash_module(module) for module in (plain, torch.nn.Sequential(plain))}
    for change in (plain.weight.view(3, 2).T, plain.weight.view(3, 2).half()):
        module = torch.nn.Linear(2, 3)
        module.weight = torch.nn.Parameter(change.clone())
        module.bias = plain.bias
        found.add(hash_module(module))
    assert len(found) == 4
