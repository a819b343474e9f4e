"""MaskCLIP: features, scores, text vectors and the position table."""

from __future__ import annotations

from typing import Any

import torch

from densevl.backbones import CLIPBackbone
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.ops.tokens import resize_position_table, tokens_to_map
from densevl.text import encode_classes
from tests.golden_checks import checks
from tests.golden_reader import GoldenFile, assert_close

ATOL = 1e-5


def golden_clip(file: GoldenFile, config: dict[str, Any]) -> CLIPBackbone:
    """The tiny CLIP of a file's config, with the shared weights."""
    stored = file.sibling(config["weights"].removesuffix(".npz"))
    weights = {key.removeprefix("sd/"): stored.tensor(key) for key in stored.keys("sd/")}
    rows, index = weights.pop("token_embedding.rows"), weights.pop("token_embedding.rows_idx")
    text_cfg = config["clip"]["text_cfg"]
    table = torch.zeros(text_cfg["vocab_size"], text_cfg["width"])
    table[index] = rows
    weights["token_embedding.weight"] = table
    return CLIPBackbone.from_config({**config["clip"], "quick_gelu": config["activation"] == "quickgelu"}, weights)


@checks("segmentation/maskclip_gelu", "segmentation/maskclip_quickgelu")
@torch.no_grad()
def check_maskclip(file: GoldenFile) -> None:
    config = file.config
    clip_model = golden_clip(file, config)
    images = file.sibling(config["images"].split()[-1].removesuffix(".npz")) if "images" in config else file
    found = {
        **_image_values(clip_model, images.tensor("image"), images.tensor("image_native"), config),
        **_text_values(file, clip_model, config),
    }
    for key in set(file.keys()) - {"__config__", "image", "image_native"}:
        if key == "prompt_token_ids":
            assert_close(found[key], file[key], atol=0)
        else:
            assert_close(found[key], file[key], atol=ATOL)


def _image_values(
    clip_model: CLIPBackbone, image: torch.Tensor, native: torch.Tensor, config: dict[str, Any]
) -> dict[str, torch.Tensor]:
    extractor = MaskCLIPExtractor(clip_model, keep_residual=True, keep_mlp=True)
    bank = encode_classes(config["classes"], clip_model, cache=False)
    assert len(set(bank.class_names)) == len(config["classes"])
    tokens = clip_model.embed(image)
    values: dict[str, torch.Tensor] = {"normalised": clip_model.normalise(image), "ln_pre_out": tokens}
    for block in clip_model.blocks[:-1]:
        tokens = block(tokens)
    values["penultimate_tokens"] = tokens
    last = clip_model.clip_model.visual.ln_post(extractor.value_path(tokens))
    values["v_ln_post"] = tokens_to_map(last[:, 1:], clip_model.grid(image))
    values["feat_proj"] = extractor(image).features
    values["cosine"] = _scores(values["feat_proj"], CosineHead(1.0, softmax=False), bank)
    values["probs"] = _scores(values["feat_proj"], CosineHead(config["logit_scale"]), bank)
    values["probs_native"] = _scores(extractor(native).features, CosineHead(config["logit_scale"]), bank)
    values["encode_image_native"] = clip_model.encode_image(native)
    values["class_embeddings"] = bank.vectors
    return {f"{config['activation']}/{key}": value for key, value in values.items()}


def _scores(features: torch.Tensor, head: CosineHead, bank: Any) -> torch.Tensor:
    return head(features.movedim(1, -1), bank).movedim(-1, 1)


def _text_values(file: GoldenFile, clip_model: CLIPBackbone, config: dict[str, Any]) -> dict[str, torch.Tensor]:
    prompts = config["extra_prompts"]
    values = {"prompt_token_ids": clip_model.tokenize(prompts)}
    for key in file.keys("prompt_text_features_"):
        values[key] = clip_model.text_features(prompts)
    for key in file.keys("text_"):
        templates = config[f"{key.split('/')[0]}_templates"]
        values[key] = encode_classes(config["classes"], clip_model, templates, cache=False).vectors
    return values


@checks("segmentation/pos_embed_maskclip")
def check_position_table(file: GoldenFile) -> None:
    native_grid = tuple(file.config["native_grid"])
    for key in file.keys("maskclip/"):
        height, width = map(int, key.split("/")[1].split("x"))
        resized = resize_position_table(file.tensor("pos_embed"), (height, width), native_grid)
        assert_close(resized, file[key], atol=ATOL)
