"""SCLIP, NACLIP, ClearCLIP and CLIP itself: all tokens behind the last block."""

from __future__ import annotations

import re
from typing import Any

import torch

from densevl.extractors import SelfAttentionExtractor
from tests.golden_checks import checks
from tests.golden_checks.maskclip import golden_clip
from tests.golden_reader import GoldenFile, assert_close

ATOL = 1e-5
METHODS: dict[str, dict[str, Any]] = {
    "plain_clip": {"pairs": ("qk",)},
    "sclip": {"pairs": ("qq", "kk")},
    "clearclip": {"pairs": ("qq",), "keep_residual": False, "keep_mlp": False},
    "naclip": {"pairs": ("kk",), "keep_residual": False, "keep_mlp": False},
    "naclip_vanilla": {"pairs": ("kk",)},
}


def settings(name: str) -> dict[str, Any]:
    """`naclip_std2` -> the settings of NACLIP with sigma 2."""
    method, _, sigma = name.partition("_std")
    return {**METHODS[method], **({"sigma": float(sigma)} if sigma else {})}


@checks("segmentation/self_attention")
@torch.no_grad()
def check_self_attention(file: GoldenFile) -> None:
    config = file.config
    wide, native = config["image"].split(", ")
    stem, first, last = re.fullmatch(r"(\w+)\.npz image\[(\d+):(\d+)\] \(wide\)", wide).groups()
    height, width = re.fullmatch(r"its top-left (\d+)x(\d+) \(native\)", native).groups()
    image = file.sibling(stem).tensor("image")[int(first) : int(last)]
    images = {"wide": image, "native": image[..., : int(height), : int(width)]}
    tower = file.sibling(stem)
    activation = config["activation"].replace("_", "")
    clip_model = golden_clip(tower, {**tower.config, "weights": config["weights"].split()[0], "activation": activation})
    for key in set(file.keys()) - {"__config__"}:
        size, name = key.split("/")
        extractor = SelfAttentionExtractor(clip_model, **settings(name))
        assert_close(clip_model.finish(extractor.walk(images[size])), file[key], atol=ATOL)
        features = torch.from_numpy(file[key])[:, 1:].transpose(1, 2)  # [B, E, h*w]
        assert_close(extractor(images[size]).features.flatten(2), features.numpy(), atol=ATOL)
