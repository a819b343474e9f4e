"""DinoCLIP: DINO's features and affinities, FOUND's objects, and the probabilities they lead to."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from densevl.backbones import DINOBackbone
from densevl.core.structures import FeatureMap
from densevl.extractors import GuidedExtractor, MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.ops.affinity import cosine_affinity, keep_above
from densevl.ops.tokens import pad_to_multiple
from densevl.refiners import AffinityPoolRefiner, FoundRule, FoundTeacher
from densevl.text import encode_classes
from tests.golden_checks import checks
from tests.golden_checks.maskclip import golden_clip
from tests.golden_reader import GoldenFile, assert_close

ATOL = 1e-5
KINDS = ("q", "k", "v")


def golden_dino(file: GoldenFile, config: dict[str, Any]) -> DINOBackbone:
    """The tiny DINO of a file."""
    return DINOBackbone.from_config(config["dino"], _tensors(file, "dino/sd/"))


def golden_found(file: GoldenFile, config: dict[str, Any]) -> FoundTeacher:
    """The tiny FOUND of a file."""
    sizes = {name: value for name, value in config["found"].items() if name != "feats"}
    assert config["found"]["feats"] == "k"  # what FoundTeacher reads
    vit = DINOBackbone.from_config(sizes, _tensors(file, "found_vit/sd/"))
    return FoundTeacher.from_checkpoint({"decoder": _tensors(file, "found_decoder/")}, vit)


@checks("segmentation/dinoclip_teachers")
@torch.no_grad()
def check_dinoclip(file: GoldenFile) -> None:
    config = file.config
    clip_cfg = file.sibling("maskclip_gelu").config["clip"]
    clip_model = golden_clip(file, {**config, "clip": clip_cfg, "weights": config["weights"].removesuffix(".npz")})
    dino, found = golden_dino(file, config), golden_found(file, config)
    image = file.tensor("image")
    for key in file.keys("found_preds"):
        grid = tuple(map(int, key.rpartition("_")[2].split("x"))) if "resized" in key else None
        # both teachers see the picture as CLIP sees it
        assert_close(found(pad_to_multiple(image, clip_model.patch_size), grid), file[key], atol=ATOL)
    bank = encode_classes(config["classes"], clip_model, cache=False)
    for kind in KINDS:
        extractor = GuidedExtractor(MaskCLIPExtractor(clip_model), dino, kind=kind, objectness_model=found)
        values = _values(extractor(image), config, bank)
        for key in file.keys(f"{kind}/"):
            assert_close(values[key.split("/")[1]], file[key], atol=ATOL)


def _values(feature_map: FeatureMap, config: dict[str, Any], bank: Any) -> dict[str, torch.Tensor]:
    guide = feature_map.guide
    assert guide is not None
    affinity = keep_above(cosine_affinity(guide.flatten(2)), config["gamma"])  # [B, N, N]
    pooled = AffinityPoolRefiner(threshold=config["gamma"])(feature_map)
    scores = CosineHead()(pooled.features.movedim(1, -1), bank).movedim(-1, 1)
    rule = FoundRule(config["delta"])
    return {
        "dino_feats": F.normalize(guide, dim=1).flatten(2),
        "corrs": affinity.unflatten(2, guide.shape[2:]),
        "probs_found_off": scores,
        "probs_found_on": rule(scores, pixels=torch.empty(0), feature_map=pooled, bank=bank),
    }


def _tensors(file: GoldenFile, prefix: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(prefix): file.tensor(key) for key in file.keys(prefix)}
