from __future__ import annotations

import torch

from densevl.bench.affinity import compare, plain_pool, pool, token_maps


def test_both_forms_agree_and_a_changed_value_shows() -> None:
    maps = token_maps(1500)
    ours, plain = pool(maps), plain_pool(maps)
    equal, difference = compare(maps, ours, plain)
    assert equal and difference < 1e-4
    wrong = ours.clone()
    wrong[0, 3, 7] += 1e-2
    assert not compare(maps, wrong, plain)[0]
    assert not torch.equal(ours, maps[0])
