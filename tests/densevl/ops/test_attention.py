from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from densevl.core.errors import ShapeError, UsageError
from densevl.ops.attention import gaussian_bias, mean_cosine, pair_attention, project_part, proxy_attention

HEADS = 3


def make_parts(batch: int = 2, tokens: int = 7, dtype: torch.dtype = torch.float32) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return {part: torch.randn(batch, tokens, 4 * HEADS, generator=generator).to(dtype) for part in "qkv"}


def plain_attention(parts: dict[str, torch.Tensor], pairs: tuple[str, ...], bias: torch.Tensor) -> torch.Tensor:
    """One head and one picture at a time, as the formula stands."""
    rows = []
    for item in range(len(parts["v"])):
        heads = []
        for head in range(HEADS):
            q_k_v = {part: tensor[item, :, 4 * head : 4 * head + 4] for part, tensor in parts.items()}
            weights = sum((q_k_v[a] @ q_k_v[b].T / 4**0.5 + bias).softmax(dim=-1) for a, b in pairs)
            heads.append(weights @ q_k_v["v"])
        rows.append(torch.cat(heads, dim=1))
    return torch.stack(rows)


@pytest.mark.parametrize("pairs", [("qk",), ("qq", "kk"), ("kk",), ("qq",), ("vv", "qk", "kq")])
@pytest.mark.parametrize("with_bias", [False, True])
def test_attention_is_the_sum_of_the_pairs_softmaxes(pairs: tuple[str, ...], with_bias: bool) -> None:
    parts, bias = make_parts(), torch.randn(7, 7) * with_bias
    attended = pair_attention(parts, pairs, num_heads=HEADS, bias=bias if with_bias else None)
    assert_close(attended, plain_attention(parts, pairs, bias), atol=1e-5, rtol=0)


def test_without_pairs_every_token_sees_itself_only() -> None:
    values = make_parts()["v"]
    assert torch.equal(pair_attention({"v": values}, (), num_heads=HEADS), values)


@pytest.mark.parametrize("pair", ["q", "qx", "qkv", ""])
def test_a_pair_is_two_of_query_key_and_value(pair: str) -> None:
    with pytest.raises(UsageError, match="two letters of q, k, v"):
        pair_attention(make_parts(), (pair,), num_heads=HEADS)


def test_a_bias_of_another_size_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"bias \[7, 7\], got \(6, 7\)"):
        pair_attention(make_parts(), ("qk",), num_heads=HEADS, bias=torch.zeros(6, 7))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_dtype_is_kept(dtype: torch.dtype) -> None:
    parts = make_parts(dtype=dtype)
    assert pair_attention(parts, ("kk",), num_heads=HEADS, bias=gaussian_bias((2, 3), 5.0)).dtype == dtype
    guide = parts["q"].transpose(1, 2)
    assert proxy_attention(guide, parts["v"]).dtype == dtype
    assert mean_cosine(guide).dtype == dtype
    with torch.device("meta"):
        guide, values = torch.empty(2, 5, 9, dtype=dtype), torch.empty(2, 9, 4, dtype=dtype)
    attended = proxy_attention(guide, values)
    assert (attended.device.type, attended.dtype, attended.shape) == ("meta", dtype, values.shape)


@pytest.mark.parametrize("part", ["q", "k", "v"])
def test_a_part_is_its_third_of_the_fused_projection(part: str) -> None:
    tokens, weight, bias = torch.randn(2, 5, 6), torch.randn(18, 6), torch.randn(18)
    whole = tokens @ weight.T + bias
    assert_close(project_part(tokens, weight, bias, part), whole.chunk(3, dim=-1)["qkv".index(part)])


def test_the_gaussian_falls_with_the_distance_of_two_patches() -> None:
    bias = gaussian_bias((3, 4), 2.0)
    assert bias.shape == (13, 13)
    assert bias[0].abs().sum() == bias[:, 0].abs().sum() == 0
    for patch in range(12):
        for other in range(12):
            squared = (patch // 4 - other // 4) ** 2 + (patch % 4 - other % 4) ** 2
            assert bias[1 + patch, 1 + other].item() == pytest.approx(torch.tensor(-squared / 8).exp().item())
    assert torch.equal(gaussian_bias((3, 4), 2.0, class_token=False), bias[1:, 1:])


@pytest.mark.parametrize("sigma", [0.0, -1.0, float("nan")])
def test_a_gaussian_has_a_width(sigma: float) -> None:
    with pytest.raises(UsageError, match="sigma above 0"):
        gaussian_bias((2, 2), sigma)


def make_proxy(batch: int = 3, positions: int = 10) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(1)
    guide = torch.randn(batch, 5, positions, generator=generator) + 0.7 * torch.arange(batch)[:, None, None]
    return guide, torch.randn(batch, positions, 6, generator=generator)


def cosines(guide: torch.Tensor) -> torch.Tensor:
    unit = guide / guide.norm(dim=1, keepdim=True)
    return torch.einsum("bgn,bgm->bnm", unit, unit)


@pytest.mark.parametrize("block", [1, 4, 1024])
def test_a_proxy_gives_weight_to_what_lies_above_the_mean(block: int) -> None:
    guide, values = make_proxy()
    expected = []
    for item in range(len(guide)):
        affinity = cosines(guide)[item]
        affinity = (affinity - 1.2 * affinity.mean()) * 3.0
        affinity[affinity < 0] = -torch.inf
        expected.append(affinity.softmax(dim=-1) @ values[item])
    assert_close(proxy_attention(guide, values, block=block), torch.stack(expected), atol=1e-5, rtol=0)


def test_one_mean_over_all_windows_differs_from_the_mean_of_each() -> None:
    guide, values = make_proxy()
    mean = mean_cosine(guide).mean()
    assert_close(mean, cosines(guide).mean())
    affinity = (cosines(guide) - 0.9 * mean) * 5.0
    expected = affinity.masked_fill(affinity < 0, -torch.inf).softmax(dim=-1) @ values
    assert_close(proxy_attention(guide, values, beta=0.9, gamma=5.0, mean=mean), expected, atol=1e-5, rtol=0)
    assert (proxy_attention(guide, values, beta=0.9, gamma=5.0) - expected).abs().max() > 1e-2


def test_a_batch_of_proxies_equals_its_singles() -> None:
    guide, values = make_proxy()
    singles = [proxy_attention(guide[i : i + 1], values[i : i + 1]) for i in range(len(guide))]
    assert_close(proxy_attention(guide, values), torch.cat(singles), atol=1e-6, rtol=0)


def test_where_everything_looks_alike_a_position_keeps_itself() -> None:
    _, values = make_proxy()
    guide = torch.ones(3, 5, 10)  # the mean is 1, and 1 < 1.2
    assert_close(proxy_attention(guide, values), values, atol=1e-6, rtol=0)


def test_a_guide_on_another_grid_is_refused() -> None:
    guide, values = make_proxy()
    with pytest.raises(ShapeError, match=r"guide \[B, G, N\] and values \[B, N, D\]"):
        proxy_attention(guide, values[:, 1:])
