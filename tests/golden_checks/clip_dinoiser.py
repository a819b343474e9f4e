"""CLIP-DINOiser: tap, affinity, pooling, objectness, the found rule and labels."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from densevl.core.structures import FeatureMap
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.ops.affinity import keep_above, pool_by_affinity
from densevl.ops.resize import class_map
from densevl.ops.tokens import resize_map
from densevl.refiners import DINOiserRefiner, FoundRule
from densevl.text import encode_classes
from tests.golden_checks import checks
from tests.golden_checks.maskclip import golden_clip
from tests.golden_reader import FOLDER, GoldenFile, assert_close

ATOL = 1e-5
NEAR_TIE = 1e-4  # labels may differ where the two best scores are closer


@checks("segmentation/clip_dinoiser")
@torch.no_grad()
def check_clip_dinoiser(file: GoldenFile) -> None:
    config = file.config
    shapes = file.sibling("maskclip_gelu").config["clip"]
    stem, checkpoint = (name.rpartition(".")[0] for name in config["weights"])
    clip_model = golden_clip(file, {**config, "clip": shapes, "weights": stem})
    published = DINOiserRefiner.from_checkpoint(
        FOLDER / f"{file.stem.rpartition('/')[0]}/{checkpoint}.pt", threshold=config["gamma"]
    )
    bank = encode_classes(config["classes"], clip_model, cache=False)
    tapped = MaskCLIPExtractor(clip_model, guide_block=config["feats_idx"])
    for kind in sorted({key.split("/")[0] for key in file.keys("") if "/" in key} - {"final"}):
        image = file.tensor(f"{kind}/image")
        found = _values(tapped, published, image, config, bank)
        found["tap_tokens"] = tapped.walk(image)[1]
        found["clip_feats"] = tapped(image).features
        _compare(file, kind, found, image)
    _check_final(file, clip_model, config, bank)


def _check_final(file: GoldenFile, clip_model: Any, config: dict[str, Any], bank: Any) -> None:
    """The variant that reads the projected features, with weights of its own, on the first picture."""
    if not file.keys("final/"):
        return
    weights = {key.removeprefix("final/sd/"): file.tensor(key) for key in file.keys("final/sd/")}
    refiner = DINOiserRefiner.from_checkpoint(weights, threshold=config["gamma"])
    image = file.tensor("even/image")
    _compare(
        file, "final", _values(MaskCLIPExtractor(clip_model, guide_block="final"), refiner, image, config, bank), image
    )


def _values(
    extractor: MaskCLIPExtractor, refiner: DINOiserRefiner, image: torch.Tensor, config: dict[str, Any], bank: Any
) -> dict[str, Any]:
    feature_map = extractor(image)
    guide = feature_map.guide
    assert guide is not None
    refined = refiner(feature_map)
    raw = refiner.correlate(guide)  # [B, N, N]
    probabilities = CosineHead()(refined.features.movedim(1, -1), bank).movedim(-1, 1)
    return {
        "bkg_logits": refined.objectness,
        "corrs_raw": raw.unflatten(2, guide.shape[2:]),
        "corrs_thresholded": keep_above(raw, refiner.threshold).unflatten(2, guide.shape[2:]),
        "pooled": refined.features,
        "probs_found_off": probabilities,
        "refined": refined,
        "bank": bank,
        "delta": config["delta"],
        "stride": extractor.stride,
    }


def _compare(file: GoldenFile, kind: str, found: dict[str, Any], image: torch.Tensor) -> None:
    for key in file.keys(f"{kind}/"):
        name = key.split("/", 1)[1]
        if name == "image" or name.startswith("sd/"):
            continue
        if name.startswith("label_"):
            _compare_labels(file[key], _probabilities(found, name.removeprefix("label_")), image, found["stride"])
        elif name.startswith("probs_"):
            assert_close(_probabilities(found, name.removeprefix("probs_")), file[key], atol=ATOL)
        else:
            assert_close(found[name], file[key], atol=ATOL)


def _probabilities(found: dict[str, Any], kind: str) -> torch.Tensor:
    """found_off, found_on, or found_on_delta0.8."""
    if kind == "found_off":
        return found["probs_found_off"]
    _, _, delta = kind.partition("_delta")
    rule = FoundRule(float(delta) if delta else found["delta"])
    refined: FeatureMap = found["refined"]
    return rule(found["probs_found_off"], pixels=torch.empty(0), feature_map=refined, bank=found["bank"])


def _compare_labels(expected: np.ndarray, scores: torch.Tensor, image: torch.Tensor, stride: int) -> None:
    size = tuple(image.shape[2:])
    extent = (scores.shape[2] * stride, scores.shape[3] * stride)
    labels, _ = class_map(scores[0], size, canvas=size, extent=extent)
    upsampled = torch.nn.functional.interpolate(scores, size=extent, mode="bilinear", align_corners=False)
    best = upsampled[0, :, : size[0], : size[1]].topk(2, dim=0).values
    sure = (best[0] - best[1] >= NEAR_TIE).numpy()
    np.testing.assert_array_equal(labels[sure], expected[sure])
    assert labels.shape == expected.shape


@checks("segmentation/weighted_pool_resize")
def check_weighted_pool(file: GoldenFile) -> None:
    affinity = file.tensor("corrs")  # [B, N, h, w]
    assert set(file.config) <= {"seed"}  # nothing but how the inputs were drawn
    features = resize_map(file.tensor("maskclip_feats"), tuple(affinity.shape[2:]))
    pooled = pool_by_affinity(features.flatten(2), affinity.flatten(2)).unflatten(2, affinity.shape[2:])
    assert_close(pooled, file["out"], atol=ATOL)
