"""Checkpoints as facebookresearch publishes them, made from a tiny model's weights by hand."""

from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from densevl.backbones import DINOBackbone
from densevl.backbones.dino_keys import to_timm_keys
from densevl.core.errors import WeightsError
from tests.tiny import TINY_DINO, tiny_dino_weights

Weights = dict[str, torch.Tensor]
SIZES = {"img_size": 56, "embed_dim": 24, "depth": 2, "num_heads": 3}
DINOV2 = {"timm": "vit_small_patch14_dinov2", **SIZES}
DINOV2_REG = {"timm": "vit_small_patch14_reg4_dinov2", **SIZES}
DINOV2_SWIGLU = {"timm": "vit_giant_patch14_dinov2", **SIZES}
DINOV3 = {"timm": "vit_small_patch16_dinov3_qkvb", **SIZES, "img_size": 64}
DINOV3_NO_BIAS = {"timm": "vit_small_patch16_dinov3", **SIZES, "img_size": 64}
DINOV3_SWIGLU = {"timm": "vit_small_plus_patch16_dinov3_qkvb", **SIZES, "img_size": 64}


def renamed(weights: Weights, names: dict[str, str]) -> Weights:
    result = {}
    for key, tensor in weights.items():
        for old, new in names.items():
            key = key.replace(old, new)
        result[key] = tensor
    return result


def as_dinov2(weights: Weights) -> Weights:
    published = {**renamed(weights, {"mlp.fc1.": "mlp.w12.", "mlp.fc2.": "mlp.w3."}), "mask_token": torch.rand(1, 24)}
    return published


def as_dinov2_with_registers(weights: Weights) -> Weights:
    class_row = torch.rand(1, 1, 24)
    published = renamed(weights, {"reg_token": "register_tokens"})
    published["pos_embed"] = torch.cat([class_row, weights["pos_embed"]], dim=1)
    return {**published, "cls_token": weights["cls_token"] - class_row, "mask_token": torch.rand(1, 24)}


def as_dinov3(weights: Weights) -> Weights:
    names = {"reg_token": "storage_tokens", "gamma_1": "ls1.gamma", "gamma_2": "ls2.gamma"}
    names |= {"mlp.fc1_g.": "mlp.w1.", "mlp.fc1_x.": "mlp.w2."}
    if any("fc1_g" in key for key in weights):
        names["mlp.fc2."] = "mlp.w3."
    published = {
        key: tensor for key, tensor in renamed(weights, names).items() if not key.endswith(("q_bias", "v_bias"))
    }
    ones, zeros = torch.ones(24), torch.zeros(24)
    for block in range(2):
        query, value = (weights.get(f"blocks.{block}.attn.{kind}_bias", zeros) for kind in ("q", "v"))
        published[f"blocks.{block}.attn.qkv.bias"] = torch.cat([query, torch.full((24,), torch.nan), value])
        published[f"blocks.{block}.attn.qkv.bias_mask"] = torch.cat([ones, zeros, ones])
    return {**published, "mask_token": torch.rand(1, 24), "local_cls_norm.weight": torch.rand(24)}


PUBLISHED = {
    "dinov2": (DINOV2, lambda weights: {**weights, "mask_token": torch.rand(1, 24)}),
    "dinov2-swiglu": (DINOV2_SWIGLU, as_dinov2),
    "dinov2-reg": (DINOV2_REG, as_dinov2_with_registers),
    "dinov3": (DINOV3, as_dinov3),
    "dinov3-swiglu": (DINOV3_SWIGLU, as_dinov3),
    "dinov3-no-bias": (DINOV3_NO_BIAS, as_dinov3),
}


@pytest.mark.parametrize("family", PUBLISHED)
def test_published_names_load_and_give_what_timms_names_give(family: str) -> None:
    cfg, publish = PUBLISHED[family]
    weights = tiny_dino_weights(cfg)
    published = publish(dict(weights))
    assert published.keys() != weights.keys()
    pixels = torch.rand(1, 3, 60, 80)
    expected = DINOBackbone.from_config(cfg, weights).features(pixels, "tokens")
    assert_close(DINOBackbone.from_config(cfg, published).features(pixels, "tokens"), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("wrapper", ["teacher", "student", "model"])
@pytest.mark.parametrize("prefix", ["backbone.", "module.backbone."])
def test_a_training_checkpoint_gives_its_backbone_and_drops_the_heads(wrapper: str, prefix: str) -> None:
    weights = tiny_dino_weights(TINY_DINO)
    wrapped = {f"{prefix}{key}": tensor for key, tensor in weights.items()}
    wrapped[prefix.replace("backbone.", "head.") + "mlp.0.weight"] = torch.rand(2, 2)
    found = to_timm_keys({wrapper: wrapped, "epoch": 3, "optimizer": {"state": {}}}, weights.keys())
    assert found.keys() == weights.keys()
    assert all(torch.equal(found[key], weights[key]) for key in weights)


def test_the_teacher_is_taken_where_there_is_a_student_too() -> None:
    teacher, student = tiny_dino_weights(TINY_DINO), tiny_dino_weights(TINY_DINO, seed=1)
    found = to_timm_keys({"student": student, "teacher": teacher}, teacher.keys())
    assert torch.equal(found["pos_embed"], teacher["pos_embed"])


def test_the_callers_dict_stays_as_it_was() -> None:
    published = as_dinov2_with_registers(tiny_dino_weights(DINOV2_REG))
    keys = set(published)
    to_timm_keys(published, ())
    assert set(published) == keys


def test_dinov3s_own_rotary_periods_are_taken() -> None:
    weights = as_dinov3(tiny_dino_weights(DINOV3))
    plain = DINOBackbone.from_config(DINOV3, weights)
    periods = plain.vit.rope.periods.clone() * 1.5
    own = DINOBackbone.from_config(DINOV3, {**weights, "rope_embed.periods": periods})
    assert torch.equal(own.vit.rope.periods, periods)
    pixels = torch.rand(1, 3, 64, 64)
    assert (own.features(pixels, "tokens") - plain.features(pixels, "tokens")).abs().max() > 1e-3
    with pytest.raises(WeightsError, match=r"rotary periods \[7\]"):
        DINOBackbone.from_config(DINOV3, {**weights, "rope_embed.periods": torch.ones(7)})


def test_a_bias_that_the_model_cannot_hold_stops() -> None:
    published = as_dinov3(tiny_dino_weights(DINOV3))
    with pytest.raises(WeightsError, match=r"extra \(blocks\.0\.attn\.q_bias"):
        DINOBackbone.from_config(DINOV3_NO_BIAS, published)


@pytest.mark.parametrize("third", [0, 1, 2])
def test_a_bias_mask_that_is_not_the_published_one_stops(third: int) -> None:
    published = as_dinov3(tiny_dino_weights(DINOV3))
    mask = published["blocks.1.attn.qkv.bias_mask"]
    mask[24 * third + 3] = 1 - mask[24 * third + 3]
    with pytest.raises(WeightsError, match=r"blocks\.1\.attn\.qkv\.bias_mask"):
        DINOBackbone.from_config(DINOV3, published)


def test_other_models_weights_stop_with_counts() -> None:
    with pytest.raises(WeightsError, match="28 of 35 tensors match, 7 missing"):
        DINOBackbone.from_config(DINOV2_REG, as_dinov3(tiny_dino_weights(DINOV3)))
