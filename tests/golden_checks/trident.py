"""Trident: DINO-guided windows, the splice, SAM's bonds, and the whole way from a picture to scores."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from densevl.backbones import CLIPBackbone, DINOBackbone, SAMBackbone
from densevl.core.config import build, read_config
from densevl.core.structures import ScoreMap, TextBank
from densevl.data.transforms import to_pixels
from densevl.extractors import TridentExtractor, TridentGuidance
from densevl.extractors.self_attention import project_last, walk_to_last
from densevl.extractors.trident import pool_by_guide
from densevl.heads import CosineHead
from densevl.ops.guidance import aggregate_canvas, guided_weights
from densevl.ops.probability import ClassProbabilities
from densevl.ops.resize import label_picture
from densevl.ops.tokens import map_to_tokens, resize_position_table, tokens_to_map
from densevl.ops.windows import splice_size, splice_windows, window_boxes
from densevl.text import encode_classes
from densevl.vocab import parse_classes
from tests.golden_checks import CHECKS, checks
from tests.golden_checks.maskclip import golden_clip
from tests.golden_reader import GoldenFile, assert_close, thin

ATOL = 1e-5
SCORE_ATOL = 1e-4  # of logits and probabilities of the whole way
NEAR_TIE = 1e-4


def weights_of(file: GoldenFile, part: str) -> dict[str, torch.Tensor]:
    return {key.removeprefix(f"{part}/sd/"): file.tensor(key) for key in file.keys(f"{part}/sd/")}


def golden_sam(weights: GoldenFile) -> SAMBackbone:
    return SAMBackbone.from_config(weights.config["sam"], weights_of(weights, "sam"))


def golden_trident(weights: GoldenFile, **options: Any) -> TridentExtractor:
    """Three tiny models with the weights of a file, and the settings of its config."""
    config = weights.config
    activation = "quickgelu" if config["clip"]["quick_gelu"] else "gelu"
    clip_model = golden_clip(weights, {**config, "weights": config["weights"].split()[0], "activation": activation})
    table = clip_model.clip_model.token_embedding.weight
    table[weights["token_embedding.extra_rows_idx"]] = weights.tensor("token_embedding.extra_rows")
    numbers = {name: config[name] for name in ("beta", "gamma", "cos_fac", "refine_neg_cos")}
    return TridentExtractor(
        clip_model,
        DINOBackbone.from_config(config["dino"], weights_of(weights, "dino")),
        golden_sam(weights),
        window=config["slide_crop"],
        step=config["slide_stride"],
        guidance=TridentGuidance(**numbers),
        **options,
    )


@checks("segmentation/trident_weights")
@torch.no_grad()
def check_trident_weights(file: GoldenFile) -> None:
    """They fit our views, stay what they were, and give what the peer got from them, with and without refinement."""
    trident = golden_trident(file)
    for part, module in (("sam", trident.sam.sam), ("dino", trident.dino.vit)):
        for name, tensor in module.state_dict().items():
            assert_close(tensor, file[f"{part}/sd/{name}"], atol=0)
    check_whole_way(file.sibling("trident_e2e"), trident)
    CHECKS["segmentation/trident_refine"](file.sibling("trident_refine"))


@checks("segmentation/trident_e2e")
@torch.no_grad()
def check_trident_e2e(file: GoldenFile) -> None:
    weights = file.sibling("trident_weights")
    assert {**weights.config, **file.config} == weights.config
    check_whole_way(file, golden_trident(weights))


def check_whole_way(file: GoldenFile, trident: TridentExtractor) -> None:
    picture = file["image_rgb"]
    pixels = to_pixels(picture)
    words = parse_classes(file.config["names"])
    bank = encode_classes(words, trident.clip_model, cache=False)
    np.testing.assert_array_equal(bank.class_index.numpy(), file["query_idx"])
    assert_close(bank.vectors, file["query_features"], atol=ATOL)
    _check_windows(file, trident, pixels)
    _check_bonds(file, trident, pixels)
    canvas, views = trident.splice(pixels), trident.sam_views(pixels)
    pooled = trident.aggregate(canvas, views).flatten(0, 1)  # [M, D]
    features = trident(pixels).features  # [1, E, h, w]
    expected = file["guidance_out_sub"]
    assert_close(thin(pooled[:, None], expected, axes=(0,)), expected, atol=ATOL)
    expected = file["clip_features_sub"]
    assert_close(thin(map_to_tokens(features)[0], expected, axes=(0,)), expected, atol=ATOL)
    _check_scores(file, features, bank, picture.shape[:2])


def _check_windows(file: GoldenFile, trident: TridentExtractor, pixels: torch.Tensor) -> None:
    patch = trident.clip_model.patch_size
    size = splice_size(*pixels.shape[2:], multiple=patch, least=trident.window)
    assert size == tuple(file["processed_hw"])
    boxes = window_boxes(*size, crop=trident.window, stride=trident.step)
    assert_close(boxes[:, [1, 0, 3, 2]] // patch, file["patch_locs"], atol=0)
    assert (len(boxes[:, 1].unique()), len(boxes[:, 0].unique())) == tuple(file["win_sizes"])
    resized = F.interpolate(pixels, size=size, mode="bilinear", align_corners=False)
    windows = torch.cat([resized[:, :, y0:y1, x0:x1] for x0, y0, x1, y1 in boxes.tolist()])
    assert_close(trident.window_guide(windows), file["dino_feats_windows"], atol=ATOL)
    normed = trident.clip_model.blocks[-1].ln_1(walk_to_last(trident.clip_model, windows)[:, 1:])
    expected = file["clip_last_block_ln1_in"]
    assert_close(normed.transpose(0, 1)[:, : expected.shape[1]], expected, atol=ATOL)
    pooled = map_to_tokens(trident.pool_windows(windows)).transpose(0, 1)  # [N, W, D]
    assert_close(pooled, file["custom_attn_out"], atol=ATOL)


def _check_bonds(file: GoldenFile, trident: TridentExtractor, pixels: torch.Tensor) -> None:
    (view,) = trident.sam_views(pixels)
    height, width = trident.sam.valid_grid(view)
    last = trident.sam.last_attention(trident.sam.walk(view))
    assert_close(last.values[:, :, :height, :width], file["sam_v"], atol=ATOL)
    chosen = file["sam_sim_rows_idx"]
    attention, keys = trident.bonds(view)
    parts = list(attention)
    weights = torch.cat(list(guided_weights(parts, keys.flatten(1, 2), **trident.thresholds)))
    assert_close(weights[chosen], file["sam_sim_rows"], atol=ATOL)
    expected = file["sam_attn_rows_head0"]
    assert_close(torch.cat(parts, dim=1)[0, chosen[: len(expected)]], expected, atol=ATOL)


def _check_scores(file: GoldenFile, features: torch.Tensor, bank: TextBank, size: tuple[int, ...]) -> None:
    head = CosineHead(file.config["logit_scale"], softmax=False, over_queries=True)
    logits = head(features.movedim(1, -1), bank).movedim(-1, 1)  # [1, Q, h, w]
    assert_close(thin(logits / head.logit_scale, file["logits_lowres"]), file["logits_lowres"], atol=SCORE_ATOL)
    score_map = ScoreMap(logits, canvas=size, extent=size, logits=True, class_index=bank.class_index)
    found = ClassProbabilities(score_map, size)
    probability = torch.stack([found[k] for k in range(len(found))])  # [K, H, W]
    assert_close(thin(probability, file["prob_sub"]), file["prob_sub"], atol=SCORE_ATOL)
    labels, _ = label_picture(score_map, size)
    best = probability.topk(2, dim=0).values
    sure = (best[0] - best[1] >= NEAR_TIE).numpy()
    np.testing.assert_array_equal(labels[sure], file["pred"][0][sure])


@checks("segmentation/trident_units")
@torch.no_grad()
def check_trident_units(file: GoldenFile) -> None:
    weights = file.sibling("trident_weights")
    config = weights.config
    clip_model = golden_clip(file, {**config, "weights": config["weights"].split()[0], "activation": "quickgelu"})
    assert clip_model.num_heads == file.config["heads"]
    overshoot = _overshoot(file.config["pos"])
    dino = DINOBackbone.from_config(config["dino"], weights_of(weights, "dino"))
    table, native = clip_model.clip_model.visual.positional_embedding, clip_model.native_grid
    for case in sorted({key.split("/")[0] for key in file.keys("") if "/" in key}):
        if case.startswith("custom_"):
            _check_windowed(file, case, clip_model)
        elif f"{case}/sam_v" in file:
            _check_guided(file, case)
        elif f"{case}/sam_v1" in file:
            _check_halves(file, case)
    for key in file.keys("clip_pos_embed/"):
        found = resize_position_table(table, _grid(key), native, overshoot=overshoot)
        assert_close(found, file[key].reshape(found.shape), atol=ATOL)
    for key in file.keys("dino_pos_embed/"):
        assert_close(dino._position_table(_grid(key)), file[key], atol=ATOL)


def _grid(key: str) -> tuple[int, int]:
    """`clip_pos_embed/7x10` -> (7, 10)."""
    height, width = map(int, key.rpartition("/")[2].split("x"))
    return height, width


def _overshoot(rule: str) -> float:
    """`scale_factor=(n+0.1)/N bicubic` -> 0.1."""
    return float(rule.partition("(n+")[2].partition(")")[0])


def _check_windowed(file: GoldenFile, case: str, clip_model: CLIPBackbone) -> None:
    height, width, guide_height, guide_width, count = file[f"{case}/meta"].tolist()
    beta, gamma = file[f"{case}/beta_gamma"].tolist()
    normed = file.tensor(f"{case}/x").transpose(0, 1)  # [W, N, D]
    guide = file.tensor(f"{case}/ex_feats")
    assert guide.shape[2:] == (guide_height, guide_width) and len(guide) == len(normed) == count
    values = tokens_to_map(project_last(clip_model, normed, "v"), (height, width))
    pooled = pool_by_guide(clip_model, values, guide, beta=beta, gamma=gamma)
    assert_close(map_to_tokens(pooled).transpose(0, 1), file[f"{case}/out"], atol=ATOL)


def _canvas(file: GoldenFile, case: str) -> torch.Tensor:
    """The windows of a case on one canvas [D, h, w]."""
    windows = file.tensor(f"{case}/x").permute(1, 2, 0)  # [W, D, N]
    boxes = file.tensor("window_locs")[:, [1, 0, 3, 2]]
    if f"{case}/vfm_token_size" in file:
        grid = file[f"{case}/vfm_token_size"].tolist()
    else:  # as fine as CLIP's
        grid = (boxes[0, 2:] - boxes[0, :2]).flip(0).tolist()
    return splice_windows(windows.unflatten(2, grid), boxes)


def _check_guided(file: GoldenFile, case: str) -> None:
    keys, attention = file.tensor(f"{case}/sam_v")[0], file.tensor(f"{case}/sam_attn")[0]
    numbers = {"factor": float(file[f"{case}/cos_fac"]), "keep_negative": bool(file[f"{case}/refine_neg_cos"])}
    rows = attention.split(keys.shape[2], dim=1)
    weights = torch.cat(list(guided_weights(rows, keys.flatten(1, 2), **numbers)))
    assert_close(weights[None, None], file[f"{case}/weights"], atol=ATOL)
    found = aggregate_canvas(_canvas(file, case), [(rows, keys)], **numbers)
    assert_close(found.flatten(0, 1)[:, None], file[f"{case}/out"], atol=ATOL)


def _check_halves(file: GoldenFile, case: str) -> None:
    """Cityscapes: SAM sees two halves, with the thresholds of that data set."""
    guidance = build(read_config("trident-b16-cityscapes").model.extractor.guidance)
    assert guidance.halves
    views = [
        (file.tensor(f"{case}/sam_attn{half}")[0].split(1, dim=1), file.tensor(f"{case}/sam_v{half}")[0])
        for half in (1, 2)
    ]
    found = aggregate_canvas(
        _canvas(file, case), views, count=2, factor=guidance.cos_fac, keep_negative=guidance.refine_neg_cos
    )
    assert_close(found.flatten(0, 1)[:, None], file[f"{case}/out"], atol=ATOL)
