"""ViFi-CLIP: features, logits, losses and gradients, fine-tuned and with learned tokens."""

from __future__ import annotations

import json
from typing import Any

import torch
import torch.nn.functional as F

from densevl.losses import soft_target_cross_entropy
from tests.golden_checks import checks
from tests.golden_reader import GoldenFile, assert_close
from video.mixing import smooth_labels
from video.models import ViFiCLIP

ATOL, RTOL = 2e-5, 1e-5
GRADIENTS = {"ctx": "prompt_learner.ctx", "VPT": "image_encoder.VPT"}


def golden_config(file: GoldenFile) -> dict[str, Any]:
    return json.loads(str(file["config"]))


def golden_weights(file: GoldenFile) -> dict[str, torch.Tensor]:
    """Weights by their published names: float16 is exact, int8 has its scale beside."""
    weights = {}
    for key in file.keys("w:"):
        name = key.removeprefix("w:")
        weights[name] = file.tensor(key).float()
        if f"s:{name}" in file:
            weights[name] *= file.tensor(f"s:{name}")
    return weights


def golden_model(file: GoldenFile) -> ViFiCLIP:
    config, weights = golden_config(file), golden_weights(file)
    trainer = config["trainer"]
    rows = file.tensor("in:token_embedding_rows").float()
    table = torch.zeros(config["vocab_size"], rows.shape[1])
    table[file.tensor("in:token_ids_used").long()] = rows
    return ViFiCLIP.from_state_dict(
        weights,
        config["classes"],
        token_table=table,
        num_heads=(config["vision_heads"], config["transformer_heads"]),
        template="{}" if trainer["ZS_EVAL"] else f"{trainer['CTX_INIT'].replace('_', ' ')} {{}}.",
        trained=None if trainer["PROMPT_MODEL"] else trainer["USE"],
        normalization=None,
    )


@checks("video/vificlip_plain", "video/vificlip_ivlp", "video/vificlip_ivlp_ctxinit")
def check_vifi_clip(file: GoldenFile) -> None:
    model = golden_model(file)
    _check_model(file, model)
    video, labels = file.tensor("in:video").float(), file.tensor("in:target").long()
    logits = model(video)
    losses = {
        "loss_soft": soft_target_cross_entropy(logits, file.tensor("in:soft_target")),
        "loss_ce": F.cross_entropy(logits, labels),
        "loss_ls": soft_target_cross_entropy(logits, smooth_labels(labels, logits.shape[1])),
    }
    losses["loss_soft"].backward()
    gradients = {name: tensor.grad for name, tensor in model.published_parameters().items() if tensor.grad is not None}
    assert sorted(gradients) == json.loads(str(file["meta:trainable"]))
    norms = json.loads(str(file["meta:grad_norm"]))
    assert set(norms) == set(gradients)
    for name, norm in norms.items():
        assert abs(gradients[name].norm().item() - norm) <= ATOL + RTOL * abs(norm), name
    found = {
        **losses,
        **{f"grad_{name}": gradients[place] for name, place in GRADIENTS.items() if place in gradients},
        "logits": logits,
        "frame_features": model.frame_features(video),
        "video_features": model.video_features(video),
        "text_features": model.text_features(),
    }
    for key in file.keys("out:"):
        assert_close(found[key.removeprefix("out:")], file[key], atol=ATOL, rtol=RTOL)


def _check_model(file: GoldenFile, model: ViFiCLIP) -> None:
    """Token ids, names and what is saved again are the file's."""
    ids = file.tensor("in:tokenized_prompts").long()
    length = model.token_ids.shape[1]
    assert torch.equal(model.token_ids, ids[:, :length])
    assert not ids[:, length:].any()
    assert len(ids) == len(model.class_names)
    saved, weights = model.to_state_dict(), golden_weights(file)
    assert sorted(saved) == sorted(json.loads(str(file["meta:sd_keys"]))) == sorted(weights)
    for name, tensor in weights.items():
        assert torch.equal(saved[name], tensor), name
    config, trainer = golden_config(file), golden_config(file)["trainer"]
    stacks = {"TEXT": model.text_prompts, "VISION": model.vision_prompts}
    for tower, stack in stacks.items() if trainer["PROMPT_MODEL"] else ():
        assert stack.depth == trainer[f"PROMPT_DEPTH_{tower}"]
        assert stack.length == (trainer[f"N_CTX_{tower}"] if stack.depth else 0)
    clip_model = model.clip_model
    assert (clip_model.embed_dim, clip_model.depth) == (config["embed_dim"], config["vision_layers"])
