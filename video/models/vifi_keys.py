"""ViFi-CLIP's published checkpoints: their names, and what their shapes say about the model."""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from typing import Any

import torch
from torch import Tensor

from densevl.core.errors import WeightsError
from video.models.prompts import PromptSizes

VISION_PROMPT, TEXT_PROMPT = "image_encoder.VPT", "prompt_learner.ctx"
WORDS = "prompt_learner.complete_text_embeddings"
PREFIX, SUFFIX = "prompt_learner.token_prefix", "prompt_learner.token_suffix"
TOKEN_TABLE = "token_embedding.weight"  # in CLIP's files; ViFi-CLIP's have none
_WORD_BUFFERS = (WORDS, PREFIX, SUFFIX)
_BLOCK = re.compile(r"resblocks\.(\d+)\.")
_BEFORE_BLOCKS = ("class_embedding", "positional_embedding", "conv1.", "ln_pre.")
_HEAD_WIDTH = 64  # of every published CLIP
_SAME_ROW = 1e-2  # between one row of two token tables, stored in any precision


def clip_file_name(name: str) -> str:
    """open_clip's name of a tensor -> the published one."""
    if name in ("logit_scale", TOKEN_TABLE):
        return name
    if name.startswith("visual."):
        return f"image_encoder.{name.removeprefix('visual.')}"
    return f"text_encoder.{name}"


def prompt_file_name(tower: str, index: int) -> str:
    """The published name of the learned tokens that enter block `index` of a tower, `text` or `vision`."""
    if index == 0:
        return VISION_PROMPT if tower == "vision" else TEXT_PROMPT
    return f"{'image' if tower == 'vision' else 'text'}_encoder.transformer.resblocks.{index}.VPT_shallow"


def depth_of(name: str) -> int | None:
    """Place of a published parameter in its tower: 0 before the blocks, i + 1 in block i, None behind them all."""
    block = _BLOCK.search(name)
    if block:
        return int(block[1]) + 1
    return 0 if any(part in name for part in _BEFORE_BLOCKS) or name in (VISION_PROMPT, TEXT_PROMPT) else None


def split_state(state_dict: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], dict[str, Tensor], dict[str, Tensor]]:
    """Sort a checkpoint's tensors, `module.` before every name or not: towers, learned tokens, embedded class names."""
    towers: dict[str, Tensor] = {}
    prompts: dict[str, Tensor] = {}
    words: dict[str, Tensor] = {}
    wrapped = all(name.startswith("module.") for name in state_dict)
    for name, tensor in state_dict.items():
        name = name.removeprefix("module.") if wrapped else name
        learned = name in (VISION_PROMPT, TEXT_PROMPT) or name.endswith(".VPT_shallow")
        (words if name in _WORD_BUFFERS else prompts if learned else towers)[name] = tensor
    return towers, prompts, words


def read_sizes(prompts: Mapping[str, Tensor]) -> PromptSizes | None:
    """How many tokens were learned, and how deep; None: a fine-tuned model without any.

    Raises:
        WeightsError: learned tokens of a tower are missing.
    """
    if not prompts:
        return None
    sizes = {}
    for tower in ("text", "vision"):
        depth = 0
        while prompt_file_name(tower, depth) in prompts:
            depth += 1
        sizes[f"{tower}_depth"] = depth
        sizes[f"{tower}_tokens"] = _shape(prompts, prompt_file_name(tower, 0), 2)[0] if depth else 0
    known = {prompt_file_name(tower, index) for tower in ("text", "vision") for index in range(sizes[f"{tower}_depth"])}
    stray = sorted(set(prompts) - known)
    if stray or not sizes["text_depth"]:
        lacking = [name for name in (TEXT_PROMPT, VISION_PROMPT) if name not in prompts]
        raise WeightsError(
            f"the checkpoint has learned tokens {', '.join(stray or prompts)} but not those before them"
            f"{f' (no {lacking[0]})' if lacking else ''}: it is cut, or of another method"
        )
    return PromptSizes(**sizes)


def read_config(towers: Mapping[str, Tensor], num_heads: tuple[int, int] | None) -> dict[str, Any]:
    """open_clip's model config of a checkpoint, from the shapes of its tensors.

    Args:
        towers: the published names of both towers and the token table.
        num_heads: of the image and of the text tower; None: one per 64 channels, as every published CLIP.

    Raises:
        WeightsError: a tensor that tells the sizes is missing, or is of no such tower.
    """
    conv = _shape(towers, "image_encoder.conv1.weight", 4)  # [D, 3, p, p]
    positions = _shape(towers, "image_encoder.positional_embedding", 2)[0]
    context_length, text_width = _shape(towers, "text_encoder.positional_embedding", 2)
    side = math.isqrt(positions - 1)
    if side * side != positions - 1:
        raise WeightsError(
            f"image_encoder.positional_embedding has {positions} rows, which is no 1 + n*n: not ViFi-CLIP"
        )
    heads = (conv[0] // _HEAD_WIDTH, text_width // _HEAD_WIDTH) if num_heads is None else num_heads
    for name, width, count in zip(("image", "text"), (conv[0], text_width), heads, strict=True):
        if count < 1 or width % count:
            raise WeightsError(f"the {name} tower is {width} wide, which {count} heads cannot share: give num_heads")
    return {
        "embed_dim": _shape(towers, "text_encoder.text_projection", 2)[1],
        "quick_gelu": True,
        "vision_cfg": {
            "image_size": side * conv[2],
            "patch_size": conv[2],
            "width": conv[0],
            "head_width": conv[0] // heads[0],
            "layers": _depth(towers, "image_encoder"),
        },
        "text_cfg": {
            "context_length": context_length,
            "vocab_size": _shape(towers, TOKEN_TABLE, 2)[0],
            "width": text_width,
            "heads": heads[1],
            "layers": _depth(towers, "text_encoder"),
        },
    }


def check_token_table(words: Mapping[str, Tensor], start_row: Tensor) -> None:
    """See that a token table belongs to a checkpoint: every embedded class name begins with the start token's row.

    Args:
        words: the embedded class names of the checkpoint, [K, L, Dt] each; may be empty.
        start_row: [Dt], the start token's row in the table.

    Raises:
        WeightsError: it is the table of another CLIP.
    """
    for name in words.keys() & {WORDS, PREFIX}:
        stored = words[name].flatten(0, -2)[0].to(start_row)
        if stored.shape != start_row.shape or not torch.allclose(stored, start_row, atol=_SAME_ROW):
            raise WeightsError(
                f"the token table is not that of the CLIP this checkpoint was trained from ({name} differs): give the "
                "token_embedding.weight of the same OpenAI CLIP"
            )


def _shape(tensors: Mapping[str, Tensor], name: str, axes: int) -> tuple[int, ...]:
    if name not in tensors or tensors[name].ndim != axes:
        found = f"has the shape {list(tensors[name].shape)}" if name in tensors else "is missing"
        if name == TOKEN_TABLE and name not in tensors:
            raise WeightsError(f"{name} {found}: give token_table=, that of the OpenAI CLIP that was fine-tuned")
        raise WeightsError(
            f"{name} {found}: this is no checkpoint of ViFi-CLIP, whose names are image_encoder.*, text_encoder.* and "
            f"prompt_learner.*; here are {len(tensors)} others ({', '.join(list(tensors)[:3])}, ...)"
        )
    return tuple(tensors[name].shape)


def _depth(names: Iterable[str], tower: str) -> int:
    found = (re.match(rf"{tower}\.transformer\.resblocks\.(\d+)\.", name) for name in names)
    return 1 + max((int(match[1]) for match in found if match), default=-1)
