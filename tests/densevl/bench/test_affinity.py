from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from densevl.bench.affinity import compare, plain_pool, pool, token_maps
from densevl.bench.measure import measure_peaks


def test_both_forms_agree_and_a_changed_value_shows() -> None:
    maps = token_maps(1500)
    ours, plain = pool(maps), plain_pool(maps)
    equal, difference = compare(maps, ours, plain)
    assert equal and difference < 1e-4
    wrong = ours.clone()
    wrong[0, 3, 7] += 1e-2
    assert not compare(maps, wrong, plain)[0]
    assert not torch.equal(ours, maps[0])


@pytest.mark.slow
def test_20_000_tokens_take_less_than_a_quarter_of_their_matrix_and_are_right() -> None:
    values, guide = token_maps(20_000)
    pooled, unit = pool((values, guide)), F.normalize(guide, dim=1)
    for row in (0, 7_777, 19_999):
        affinity = unit[0].T @ unit[0, :, row]  # [N]
        affinity[affinity < 0.2] = 0
        torch.testing.assert_close(pooled[0, :, row], values[0] @ affinity / affinity.sum(), atol=1e-4, rtol=0)
    assert measure_peaks(["affinity-20k"])[0] < 20_000**2 * 4 / 2**20 / 4
