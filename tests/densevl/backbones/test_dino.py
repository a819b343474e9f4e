from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.testing import assert_close

from densevl.backbones import DINOBackbone
from densevl.core.errors import ShapeError, UnknownNameError, UsageError, WeightsError
from densevl.ops.tokens import tokens_to_map
from tests.tiny import TINY_DINO, tiny_dino, tiny_dino_weights

SIZES = {"img_size": 56, "embed_dim": 24, "depth": 3, "num_heads": 3}
FAMILIES = {
    "dino": TINY_DINO,
    "dinov2": {"timm": "vit_small_patch14_dinov2.lvd142m", **SIZES},
    "dinov2-reg": {"timm": "vit_small_patch14_reg4_dinov2.lvd142m", **SIZES},
    "dinov3": {"timm": "vit_small_patch16_dinov3_qkvb.lvd1689m", **SIZES, "img_size": 64},
    "dinov3-swiglu": {"timm": "vit_small_plus_patch16_dinov3.lvd1689m", **SIZES, "img_size": 64},
}


def walk(dino: DINOBackbone, pixels: torch.Tensor) -> torch.Tensor:
    tokens = dino.embed(pixels)
    for block in dino.blocks:
        tokens = block(tokens, **dino.rotation(dino.grid(pixels)))
    return dino.finish(tokens)


@pytest.mark.parametrize("family", FAMILIES)
def test_the_walk_equals_timm_at_the_native_size(family: str) -> None:
    dino = tiny_dino(FAMILIES[family])
    side = dino.native_grid[0] * dino.patch_size
    pixels = torch.rand(2, 3, side, side)
    expected = dino.vit.forward_features(dino.normalise(pixels))
    assert_close(walk(dino, pixels), expected, atol=1e-5, rtol=0)
    patches = tokens_to_map(expected[:, dino.num_prefix_tokens :], dino.native_grid)
    assert_close(dino.features(pixels, "tokens"), patches, atol=1e-5, rtol=0)


def test_dinov3_equals_timm_at_any_size_of_whole_patches() -> None:
    dino, pixels = tiny_dino(FAMILIES["dinov3"]), torch.rand(1, 3, 48, 112)
    assert_close(walk(dino, pixels), dino.vit.forward_features(dino.normalise(pixels)), atol=1e-5, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("block", [0, 1, -1])
def test_queries_keys_and_values_are_thirds_of_the_blocks_own_projection(family: str, block: int) -> None:
    dino, pixels = tiny_dino(FAMILIES[family]), torch.rand(2, 3, 90, 50)
    tokens, rotation = dino.embed(pixels), dino.rotation(dino.grid(pixels))
    for step in list(dino.blocks)[: block % dino.depth]:
        tokens = step(tokens, **rotation)
    chosen = dino.blocks[block]
    bias = chosen.attn.qkv.bias
    if bias is None and chosen.attn.q_bias is not None:
        bias = torch.cat([chosen.attn.q_bias, torch.zeros(dino.embed_dim), chosen.attn.v_bias])
    fused = F.linear(chosen.norm1(tokens), chosen.attn.qkv.weight, bias)[:, dino.num_prefix_tokens :]
    for kind, expected in zip(("q", "k", "v"), fused.chunk(3, dim=-1), strict=True):
        found = dino.features(pixels, kind, block=block)
        assert_close(found, tokens_to_map(expected, dino.grid(pixels)), atol=1e-5, rtol=0)


def test_a_later_blocks_tokens_and_an_earlier_ones_differ_and_both_are_normed() -> None:
    dino, pixels = tiny_dino(), torch.rand(1, 3, 64, 64)
    tokens = dino.blocks[0](dino.embed(pixels))
    assert_close(
        dino.features(pixels, "tokens", block=0), tokens_to_map(dino.finish(tokens)[:, 1:], (4, 4)), atol=1e-5, rtol=0
    )
    assert_close(dino.features(pixels, "tokens", block=2), dino.features(pixels, "tokens"))


class Forbidden(nn.Module):
    def forward(self, *_: object, **__: object) -> None:
        raise RuntimeError("this was not to be computed")


def test_what_would_be_thrown_away_is_not_computed() -> None:
    dino, pixels = tiny_dino(), torch.rand(1, 3, 64, 48)
    expected = dino.features(pixels, "k", block=1)
    dino.vit.blocks[1].attn.proj = dino.vit.blocks[1].mlp = dino.vit.blocks[2] = dino.vit.norm = Forbidden()
    assert_close(dino.features(pixels, "k", block=1), expected)


def test_only_a_third_of_the_projection_is_multiplied() -> None:
    dino, pixels = tiny_dino(), torch.rand(1, 3, 64, 48)
    expected = dino.features(pixels, "v")
    dino.blocks[-1].attn.qkv.weight[: 2 * dino.embed_dim] = torch.nan
    assert_close(dino.features(pixels, "v"), expected)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_patch_feature_lies_where_its_pixels_are(family: str) -> None:
    dino = tiny_dino(FAMILIES[family])
    pixels = torch.rand(1, 3, 4 * dino.patch_size, 6 * dino.patch_size)
    changed, p = pixels.clone(), dino.patch_size
    changed[..., p : 2 * p, 4 * p : 5 * p] = 0
    difference = (dino.features(pixels, "v", block=0) - dino.features(changed, "v", block=0)).abs().sum(1)[0]
    assert difference.nonzero().tolist() == [[1, 4]]


@pytest.mark.parametrize("family", FAMILIES)
def test_padding_is_black_before_normalising(family: str) -> None:
    dino = tiny_dino(FAMILIES[family])
    pixels = torch.rand(1, 3, 3 * dino.patch_size - 5, 2 * dino.patch_size + 1)
    by_hand = F.pad(pixels, (0, dino.patch_size - 1, 0, 5))
    assert dino.grid(pixels) == dino.grid(by_hand) == (3, 3)
    assert_close(dino.embed(pixels), dino.embed(by_hand))


@pytest.mark.parametrize("family", FAMILIES)
def test_a_batch_is_its_singles_and_the_input_stays_as_it_was(family: str) -> None:
    dino, pixels = tiny_dino(FAMILIES[family]), torch.rand(3, 3, 50, 80)
    before = pixels.clone()
    for kind in ("k", "tokens"):
        singles = torch.cat([dino.features(one[None], kind) for one in pixels])
        assert_close(dino.features(pixels, kind), singles, atol=1e-5, rtol=0)
    assert torch.equal(pixels, before)


def test_the_position_table_is_always_resized_from_the_original() -> None:
    dino, native = tiny_dino(), torch.rand(1, 3, 64, 64)
    before = dino.embed(native)
    dino.embed(torch.rand(1, 3, 160, 96))
    assert torch.equal(dino.embed(native), before)
    assert torch.equal(dino.vit.pos_embed, tiny_dino_weights(TINY_DINO)["pos_embed"])


def positions(dino: DINOBackbone, pixels: torch.Tensor) -> torch.Tensor:
    """What the table adds: tokens with it less tokens without."""
    with_table = dino.embed(pixels)
    dino.vit.pos_embed.zero_()
    return with_table - dino.embed(pixels)


@pytest.mark.parametrize("family", ["dino", "dinov2"])
def test_dino_and_dinov2_aim_a_tenth_of_a_patch_further(family: str) -> None:
    dino = tiny_dino(FAMILIES[family])
    table = dino.vit.pos_embed[:, 1:].unflatten(1, (4, 4)).movedim(3, 1).clone()
    first = dino.vit.pos_embed[:, :1].clone()
    pixels = torch.rand(1, 3, 3 * dino.patch_size, 7 * dino.patch_size)
    expected = F.interpolate(table, scale_factor=(3.1 / 4, 7.1 / 4), mode="bicubic", align_corners=False)
    expected = torch.cat([first, expected.flatten(2).transpose(1, 2)], dim=1)
    assert_close(positions(dino, pixels), expected, atol=1e-5, rtol=0)


def test_dinov2_with_registers_aims_at_the_size_antialiased_and_leaves_the_prefix_alone() -> None:
    dino = tiny_dino(FAMILIES["dinov2-reg"])
    table = dino.vit.pos_embed.unflatten(1, (4, 4)).movedim(3, 1).clone()
    expected = F.interpolate(table, size=(3, 7), mode="bicubic", align_corners=False, antialias=True)
    found = positions(dino, torch.rand(1, 3, 42, 98))
    assert not found[:, :5].any()
    assert_close(found[:, 5:], expected.flatten(2).transpose(1, 2), atol=1e-5, rtol=0)


def test_the_facts_of_the_tower_come_from_its_config() -> None:
    dino = tiny_dino()
    assert (dino.patch_size, dino.stride, dino.embed_dim, dino.depth, dino.num_heads) == (16, 16, 36, 3, 3)
    assert (dino.native_grid, dino.num_prefix_tokens, dino.vit.norm.eps) == ((4, 4), 1, 1e-6)
    assert tiny_dino(FAMILIES["dinov2-reg"]).num_prefix_tokens == 5
    pixels = torch.rand(1, 3, 60, 81)
    assert dino.grid(pixels) == (4, 6)
    assert dino.features(pixels, "q").shape == (1, 36, 4, 6)


def test_the_backbone_is_frozen_in_eval_mode_owns_its_weights_and_leaves_the_dice_alone() -> None:
    weights = tiny_dino_weights(TINY_DINO)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    dino = DINOBackbone.from_config(TINY_DINO, weights)
    assert torch.equal(torch.rand(3), expected)
    assert not dino.training
    assert not any(parameter.requires_grad for parameter in dino.parameters())
    weights["pos_embed"].zero_()
    assert dino.vit.pos_embed.abs().sum() > 0


@pytest.mark.parametrize("pixels", [torch.zeros(3, 8, 8), torch.zeros(1, 4, 8, 8), torch.zeros(1, 3, 8, 8).byte()])
def test_other_pixels_are_refused(pixels: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match=r"float pixels \[B, 3, H, W\]"):
        tiny_dino().features(pixels, "k")


def test_an_unknown_kind_or_block_is_refused_with_what_there_is() -> None:
    dino, pixels = tiny_dino(), torch.zeros(1, 3, 16, 16)
    with pytest.raises(UnknownNameError, match="tokens"):
        dino.features(pixels, "token")
    for block in (3, -4):
        with pytest.raises(UsageError, match=r"3 blocks: give -3\.\.2"):
            dino.features(pixels, "k", block=block)


def test_a_tensor_that_is_missing_extra_or_of_another_shape_stops() -> None:
    weights = tiny_dino_weights(TINY_DINO)
    with pytest.raises(WeightsError, match=r"1 missing \(norm\.bias\)"):
        DINOBackbone.from_config(TINY_DINO, {key: weights[key] for key in weights if key != "norm.bias"})
    with pytest.raises(WeightsError, match=r"1 extra \(head\.weight\)"):
        DINOBackbone.from_config(TINY_DINO, {**weights, "head.weight": torch.zeros(2)})
    with pytest.raises(WeightsError, match=r"pos_embed is \[1, 10, 36\]"):
        DINOBackbone.from_config(TINY_DINO, {**weights, "pos_embed": torch.zeros(1, 10, 36)})


@pytest.mark.parametrize("family", FAMILIES)
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_tower_follows_its_dtype(family: str, dtype: torch.dtype) -> None:
    dino, pixels = tiny_dino(FAMILIES[family]), torch.rand(1, 3, 50, 70)
    expected = dino.features(pixels, "tokens")
    found = dino.to(dtype).features(pixels, "tokens")
    assert found.dtype == dtype
    assert_close(found.float(), expected, atol=0.2 if dtype == torch.bfloat16 else 1e-4, rtol=0)


@pytest.mark.parametrize("family", FAMILIES)
def test_features_run_on_the_meta_device(family: str) -> None:
    dino = tiny_dino(FAMILIES[family]).to("meta")
    for kind in ("q", "tokens"):
        features = dino.features(torch.rand(2, 3, 70, 40, device="meta"), kind)
        assert features.device.type == "meta"
        assert features.shape == (2, dino.embed_dim, -(-70 // dino.patch_size), -(-40 // dino.patch_size))


@pytest.mark.cuda
@pytest.mark.parametrize("family", FAMILIES)
def test_cuda_equals_cpu(family: str) -> None:
    dino, pixels = tiny_dino(FAMILIES[family]), torch.rand(2, 3, 70, 100)
    expected = {kind: dino.features(pixels, kind) for kind in ("q", "k", "v", "tokens")}
    dino = dino.to("cuda")
    for kind, features in expected.items():
        assert_close(dino.features(pixels.cuda(), kind).cpu(), features, atol=1e-4, rtol=1e-4)
