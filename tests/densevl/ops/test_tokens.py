from __future__ import annotations

import numpy as np
import pytest
import torch
from torch.testing import assert_close

from densevl.core.errors import ShapeError
from densevl.ops.tokens import causal_mask, map_to_tokens, pad_to_multiple, resize_position_table, tokens_to_map


def test_padding_adds_zeros_at_the_bottom_and_right_only() -> None:
    pixels = torch.rand(2, 3, 5, 8)
    padded = pad_to_multiple(pixels, 4)
    assert padded.shape == (2, 3, 8, 8)
    assert torch.equal(padded[..., :5, :8], pixels)
    assert padded[..., 5:, :].abs().sum() == 0


def test_whole_patches_are_not_padded() -> None:
    pixels = torch.rand(1, 3, 8, 12)
    assert torch.equal(pad_to_multiple(pixels, 4), pixels)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_token_sees_itself_and_those_before(dtype: torch.dtype) -> None:
    attn_mask = causal_mask(torch.rand(5, 3, 8, dtype=dtype))
    inf = torch.inf
    assert torch.equal(attn_mask, torch.tensor([[0, -inf, -inf], [0, 0, -inf], [0, 0, 0]], dtype=dtype))
    assert attn_mask.dtype == dtype


def test_tokens_lie_row_by_row() -> None:
    tokens = torch.arange(2 * 6 * 3.0).view(2, 6, 3)
    feature_map = tokens_to_map(tokens, (2, 3))
    assert feature_map.shape == (2, 3, 2, 3)
    assert torch.equal(feature_map[1, :, 1, 2], tokens[1, 5])
    assert torch.equal(feature_map[0, :, 1, 0], tokens[0, 3])
    assert torch.equal(map_to_tokens(feature_map), tokens)


@pytest.mark.parametrize("shape", [(2, 7, 3), (6, 3)])
def test_tokens_that_are_no_grid_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\[B, 2\*3, D\]"):
        tokens_to_map(torch.zeros(shape), (2, 3))


def cubic(distance: float, a: float = -0.75) -> float:
    distance = abs(distance)
    if distance < 1:
        return (a + 2) * distance**3 - (a + 3) * distance**2 + 1
    return a * distance**3 - 5 * a * distance**2 + 8 * a * distance - 4 * a if distance < 2 else 0.0


def resize_axis(values: np.ndarray, size: int, overshoot: float = 0.0) -> np.ndarray:
    """Bicubic along the first axis, pixel centres aligned, edges replicated: the formula, plainly."""
    length, out = len(values), []
    for index in range(size):
        centre = (index + 0.5) * length / (size + overshoot) - 0.5
        base = int(np.floor(centre))
        taps = range(base - 1, base + 3)
        out.append(sum(cubic(centre - tap) * values[min(max(tap, 0), length - 1)] for tap in taps))
    return np.stack(out)


def test_the_table_is_resized_by_the_bicubic_formula() -> None:
    table = torch.randn(1 + 3 * 4, 5)
    resized = resize_position_table(table, (7, 2), (3, 4))
    grid = table[1:].view(3, 4, 5).double().numpy()
    expected = resize_axis(resize_axis(grid, 7).swapaxes(0, 1), 2).swapaxes(0, 1)
    assert torch.equal(resized[0], table[0])
    assert_close(resized[1:].view(7, 2, 5), torch.from_numpy(expected).float(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("grid", [(7, 2), (3, 9), (14, 21)])
def test_an_overshoot_moves_the_coordinates_and_not_the_size(grid: tuple[int, int]) -> None:
    table = torch.randn(1 + 3 * 4, 5)
    resized = resize_position_table(table, grid, (3, 4), overshoot=0.1)
    patches = table[1:].view(3, 4, 5).double().numpy()
    expected = resize_axis(resize_axis(patches, grid[0], 0.1).swapaxes(0, 1), grid[1], 0.1).swapaxes(0, 1)
    assert_close(resized[1:].view(*grid, 5), torch.from_numpy(expected).float(), atol=1e-5, rtol=0)
    assert (resized - resize_position_table(table, grid, (3, 4))).abs().max() > 1e-3


@pytest.mark.parametrize("overshoot", [0.0, 0.1])
def test_the_native_grid_gives_the_table_itself(overshoot: float) -> None:
    table = torch.randn(1 + 3 * 4, 5)
    assert resize_position_table(table, (3, 4), (3, 4), overshoot=overshoot) is table


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_the_dtype_of_the_table_is_kept(dtype: torch.dtype) -> None:
    table = torch.randn(1 + 4, 6).to(dtype)
    resized = resize_position_table(table, (3, 3), (2, 2))
    assert resized.dtype == dtype
    reference = resize_position_table(table.float(), (3, 3), (2, 2))
    assert_close(resized.float(), reference, atol=2e-2, rtol=0)


def test_a_table_of_another_grid_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"\[1 \+ 2\*2, D\]"):
        resize_position_table(torch.zeros(17, 8), (3, 3), (2, 2))


def test_gradients_reach_the_table() -> None:
    table = torch.randn(1 + 4, 6, requires_grad=True)
    resize_position_table(table, (5, 3), (2, 2)).sum().backward()
    assert table.grad is not None
    assert table.grad.abs().min() > 0
