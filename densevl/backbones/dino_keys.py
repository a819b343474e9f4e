"""The names of DINO weights: facebookresearch's checkpoints in the words of timm's models."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from densevl.core.errors import WeightsError

PERIODS = "rope.periods"  # no part of timm's state dict: the caller takes it out

_WRAPPERS = ("teacher", "student", "model", "state_dict")  # the teacher is what the papers evaluate
_DINOV2 = (  # pattern -> replacement
    (r"\.mlp\.w12\.", ".mlp.fc1."),
    (r"\.mlp\.w3\.", ".mlp.fc2."),
)
_DINOV3 = (
    (r"^storage_tokens$", "reg_token"),
    (r"^rope_embed\.periods$", PERIODS),
    (r"\.ls([12])\.gamma$", r".gamma_\1"),
    (r"\.mlp\.w1\.", ".mlp.fc1_g."),
    (r"\.mlp\.w2\.", ".mlp.fc1_x."),
    (r"\.mlp\.w3\.", ".mlp.fc2."),
)
# of no use at inference: what hides patches in training, which biases stay 0, the norm of small crops
_DINOV3_UNUSED = r"^mask_token$|\.qkv\.bias_mask$|^local_cls_norm\."


def to_timm_keys(state_dict: Mapping[str, Any], own_keys: Collection[str]) -> dict[str, Tensor]:
    """Rename what facebookresearch published to timm's names; timm's own weights pass as they are.

    Args:
        state_dict: a backbone's tensors, or a training checkpoint that holds them under `teacher` or `student`, there
            with `module.` and `backbone.` before every name and the heads beside.
        own_keys: the names that the model has; DINOv3's query and value biases are left out where it has none and
            they are 0.

    Returns:
        Names and tensors; DINOv3's rotary periods as `rope.periods`.

    Raises:
        WeightsError: DINOv3 weights whose bias mask is not the published one (no key bias).
    """
    weights = _unwrap(state_dict)
    if "storage_tokens" in weights:
        return _from_dinov3(weights, own_keys)
    weights.pop("mask_token", None)
    if "register_tokens" in weights:  # timm adds the class row of the position table once, here
        table = weights.pop("pos_embed")
        weights["reg_token"] = weights.pop("register_tokens")
        weights["cls_token"] = weights["cls_token"] + table[:, :1]
        weights["pos_embed"] = table[:, 1:]
    return {_rename(key, _DINOV2): tensor for key, tensor in weights.items()}


def _unwrap(state_dict: Mapping[str, Any]) -> dict[str, Tensor]:
    for wrapper in _WRAPPERS:
        if isinstance(state_dict.get(wrapper), Mapping):
            state_dict = state_dict[wrapper]
    weights = {key.removeprefix("module."): tensor for key, tensor in state_dict.items()}
    prefix = "backbone."
    if not any(key.startswith(prefix) for key in weights):
        return weights
    return {key.removeprefix(prefix): tensor for key, tensor in weights.items() if key.startswith(prefix)}


def _from_dinov3(weights: Mapping[str, Tensor], own_keys: Collection[str]) -> dict[str, Tensor]:
    renamed: dict[str, Tensor] = {}
    for key, tensor in weights.items():
        if key.endswith(".qkv.bias"):
            _check_bias_mask(key, weights.get(f"{key}_mask"))
            query, _, value = tensor.chunk(3)  # the key's third may hold anything: it is masked
            biases = {key.replace("qkv.bias", "q_bias"): query, key.replace("qkv.bias", "v_bias"): value}
            renamed.update((name, bias) for name, bias in biases.items() if name in own_keys or bias.any())
        elif not re.search(_DINOV3_UNUSED, key):
            renamed[_rename(key, _DINOV3)] = tensor
    return renamed


def _check_bias_mask(key: str, mask: Tensor | None) -> None:
    if mask is None:
        return
    query, masked, value = mask.chunk(3)
    if not (torch.all(query == 1) and torch.all(value == 1)) or masked.nan_to_num().any():
        raise WeightsError(f"{key}_mask hides other biases than the key's: these are not DINOv3's published weights")


def _rename(key: str, rules: tuple[tuple[str, str], ...]) -> str:
    for pattern, replacement in rules:
        key = re.sub(pattern, replacement, key)
    return key
