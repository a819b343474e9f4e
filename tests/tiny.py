"""Tiny seeded models for tests: real classes, random weights, a second on one core."""

from __future__ import annotations

import re
from copy import deepcopy
from functools import lru_cache
from typing import Any

import torch

from densevl.backbones.clip import CLIPBackbone
from densevl.backbones.dino import DINOBackbone
from densevl.backbones.sam import SAMBackbone
from densevl.refiners import FoundTeacher

TINY_CLIP: dict[str, Any] = {
    "embed_dim": 32,
    "vision_cfg": {"image_size": 64, "patch_size": 16, "width": 48, "head_width": 16, "layers": 4},
    "text_cfg": {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2},
}


@lru_cache(maxsize=4)
def _tiny_clip_weights(seed: int) -> dict[str, torch.Tensor]:
    from open_clip.model import CLIP

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        weights = CLIP(**deepcopy(TINY_CLIP)).state_dict()
        # open_clip leaves some tensors uninitialised or constant: draw every one of them
        drawn = {name: torch.randn(tensor.shape) * 0.1 for name, tensor in weights.items()}
    return {name: tensor + 1.0 if re.search(r"ln_\w+\.weight$", name) else tensor for name, tensor in drawn.items()}


def tiny_clip_weights(seed: int = 0) -> dict[str, torch.Tensor]:
    """State dict of the tiny CLIP, open_clip's key names; a copy, free to be spoiled."""
    return {name: tensor.clone() for name, tensor in _tiny_clip_weights(seed).items()}


def tiny_clip(seed: int = 0, *, quick_gelu: bool = False) -> CLIPBackbone:
    """A CLIP of width 48, 4 blocks, 3 heads, 64 px, patch 16, joint space 32."""
    return CLIPBackbone.from_config({**deepcopy(TINY_CLIP), "quick_gelu": quick_gelu}, tiny_clip_weights(seed))


TINY_DINO: dict[str, Any] = {"patch": 16, "dim": 36, "depth": 3, "heads": 3, "native_img": 64, "ln_eps": 1e-6}


def tiny_dino_weights(cfg: dict[str, Any], seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights for a DINO config, timm's key names; no tensor is constant, so that none can hide."""
    from densevl.backbones.dino_models import make_vit

    shapes = {name: tensor.shape for name, tensor in make_vit(cfg).state_dict().items()}
    generator = torch.Generator().manual_seed(seed)
    drawn = {name: torch.randn(shape, generator=generator) * 0.2 for name, shape in shapes.items()}
    return {name: tensor + 1.0 if re.search(r"norm\d?\.weight$", name) else tensor for name, tensor in drawn.items()}


def tiny_dino(cfg: dict[str, Any] | None = None, seed: int = 0) -> DINOBackbone:
    """A DINO v1 of width 36, 3 blocks, 3 heads, 64 px, patch 16; or of another config."""
    cfg = TINY_DINO if cfg is None else cfg
    return DINOBackbone.from_config(cfg, tiny_dino_weights(cfg, seed))


def tiny_found() -> FoundTeacher:
    """A FOUND teacher on a tiny DINO of patch 8."""
    dino = tiny_dino({**TINY_DINO, "patch": 8})
    weight = torch.randn(1, dino.embed_dim, 1, 1, generator=torch.Generator().manual_seed(0))
    return FoundTeacher(dino, weight, torch.zeros(1))


TINY_SAM: dict[str, Any] = {
    "dim": 24,
    "depth": 3,
    "heads": 3,
    "global_idx": (1, 2),
    "window": 3,
    "img": 128,
    "patch": 16,
    "out": 32,
}
_TINY_DECODER = {
    "mask_decoder.transformer.layers.0.norm1.weight": (32,),
    "mask_decoder.transformer.layers.0.mlp.lin1.weight": (40, 32),
    "mask_decoder.iou_prediction_head.layers.0.weight": (20, 32),
    "prompt_encoder.mask_downscaling.3.weight": (8, 2, 2, 2),
}


def tiny_sam_weights(cfg: dict[str, Any] | None = None, seed: int = 0) -> dict[str, torch.Tensor]:
    """Random weights for a SAM config with a decoder of one layer, segment_anything's key names; none is constant."""
    from densevl.backbones.sam_models import make_sam

    sam = make_sam(cfg or TINY_SAM, {key: torch.empty(shape) for key, shape in _TINY_DECODER.items()})
    generator = torch.Generator().manual_seed(seed)
    return {name: torch.randn(tensor.shape, generator=generator) * 0.2 for name, tensor in sam.state_dict().items()}


def tiny_sam(cfg: dict[str, Any] | None = None, seed: int = 0) -> SAMBackbone:
    """A SAM of width 24, 3 blocks, 3 heads, 128 px, patch 16, embedding 32; or of another config."""
    return SAMBackbone.from_config(cfg or TINY_SAM, tiny_sam_weights(cfg, seed))
