"""CLIP: a view on open_clip's own model. `embed`, `blocks` and `finish` are its forward pass, cut in three."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.core.errors import ConfigError, ShapeError, UsageError
from densevl.ops.tokens import causal_mask, pad_to_multiple, resize_position_table
from densevl.weights import load_strict

if TYPE_CHECKING:
    from open_clip import SimpleTokenizer
    from open_clip.model import CLIP

# Source: Radford et al., "Learning Transferable Visual Models From Natural Language Supervision", ICML 2021, code
CLIP_MEAN = (0.48145466, 0.4578275, 0.40821073)
CLIP_STD = (0.26862954, 0.26130258, 0.27577711)

_TEXT_BATCH = 256  # prompts in one pass of the text tower
_OPENAI_EXTRAS = ("input_resolution", "context_length", "vocab_size")  # numbers that OpenAI's archives keep beside
_SCALES = tuple(f"scale_{part}" for part in ("heads", "attn_inner", "attn", "fc"))
_BLOCK_OPTIONS = ("block_type", "qk_norm", "scaled_cosine_attn", *_SCALES)


class CLIPBackbone(nn.Module):
    """A plain CLIP ViT with its text tower: pixels -> tokens, prompts -> vectors.

    The whole image tower is `tokens = embed(pixels)`, `for block in blocks: tokens = block(tokens)`,
    `finish(tokens)`; a method walks the blocks as it needs. Frozen and in eval mode when made.

    Args:
        clip_model: open_clip's model; it stays as it is.
        weights_id: names the weights: the key of vectors cached on disk.
        mean: of R, G, B in [0, 1], as the weights were trained.
        std: likewise.
    """

    templates = "imagenet80"

    def __init__(
        self,
        clip_model: CLIP,
        *,
        weights_id: str,
        mean: Sequence[float] = CLIP_MEAN,
        std: Sequence[float] = CLIP_STD,
    ) -> None:
        super().__init__()
        self.clip_model = clip_model
        self.weights_id = weights_id
        self.register_buffer("mean", torch.tensor(mean).view(3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(std).view(3, 1, 1), persistent=False)
        self.eval().requires_grad_(False)

    @classmethod
    def from_config(
        cls,
        model_cfg: Mapping[str, Any],
        state_dict: Mapping[str, Tensor],
        *,
        preprocess_cfg: Mapping[str, Any] | None = None,
        weights_id: str | None = None,
        file_name: Callable[[str], str] | None = None,
    ) -> CLIPBackbone:
        """Build from open_clip's own model config and key names; every tensor must be there and fit.

        Args:
            model_cfg: `embed_dim`, `vision_cfg`, `text_cfg`, and `quick_gelu` where the weights need it.
            state_dict: the weights; they are copied to float32.
            preprocess_cfg: open_clip's `mean` and `std`, where they are not OpenAI's.
            weights_id: names the weights; None: a hash of config and tensors.
            file_name: open_clip's name of a tensor -> its name in `state_dict`, where that speaks otherwise.

        Raises:
            UsageError: the config is no plain CLIP ViT; says what is missing.
            ConfigError: the config is faulty.
            WeightsError: the weights do not fit.
        """
        require_plain_vit(model_cfg)
        clip_model = _make_model(model_cfg)
        weights = dict(state_dict)
        if "logit_scale" in weights and weights["logit_scale"].numel() == 1:  # stored as [] or as [1]
            weights["logit_scale"] = weights["logit_scale"].reshape(clip_model.logit_scale.shape)
        load_strict(clip_model, weights, name="CLIP", allow_unexpected=_OPENAI_EXTRAS, file_name=file_name)
        preprocess = preprocess_cfg or {}
        return cls(
            clip_model,
            weights_id=weights_id or _hash_weights(model_cfg, state_dict),
            mean=preprocess.get("mean") or CLIP_MEAN,
            std=preprocess.get("std") or CLIP_STD,
        )

    @property
    def blocks(self) -> nn.ModuleList:
        """open_clip's residual blocks, batch first: [B, N, D] -> [B, N, D]."""
        return self.clip_model.visual.transformer.resblocks

    @property
    def text_blocks(self) -> nn.ModuleList:
        """The text tower's blocks, batch first, with a mask: ([n, L, Dt], attn_mask=causal_mask(...)) -> same shape."""
        return self.clip_model.transformer.resblocks

    @property
    def patch_size(self) -> int:
        """Pixels of a patch's side."""
        return self.clip_model.visual.conv1.kernel_size[0]

    @property
    def native_grid(self) -> tuple[int, int]:
        """(rows, columns) of the position table."""
        return self.clip_model.visual.grid_size

    @property
    def width(self) -> int:
        """D, channels of a token."""
        return self.clip_model.visual.conv1.out_channels

    @property
    def depth(self) -> int:
        """How many blocks."""
        return len(self.blocks)

    @property
    def num_heads(self) -> int:
        """Attention heads of a block."""
        return self.blocks[0].attn.num_heads

    @property
    def embed_dim(self) -> int:
        """E, the width of the space that images and texts share."""
        return self.clip_model.visual.proj.shape[1]

    @property
    def logit_scale(self) -> float:
        """What the weights multiply cosines with."""
        return float(self.clip_model.logit_scale.exp())

    def grid(self, pixels: Tensor) -> tuple[int, int]:
        """(h, w) patches of [B, 3, H, W], the last ones padded."""
        height, width = pixels.shape[-2:]
        return math.ceil(height / self.patch_size), math.ceil(width / self.patch_size)

    def normalise(self, pixels: Tensor) -> Tensor:
        """[B, 3, H, W] in [0, 1] -> the same shape, as the tower was trained."""
        return (pixels - self.mean) / self.std

    def embed(self, pixels: Tensor, *, overshoot: float = 0.0) -> Tensor:
        """Pixels -> the tokens that enter the first block.

        Args:
            pixels: [B, 3, H, W] float in [0, 1], RGB. Padded with black at the bottom and right to whole patches.
            overshoot: of the position table; see `ops.tokens.resize_position_table`.

        Returns:
            [B, 1 + h*w, D], the class token first.

        Raises:
            ShapeError: not such a tensor.
        """
        if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point():
            raise ShapeError(f"expected float pixels [B, 3, H, W] in [0, 1], got {pixels.dtype} {tuple(pixels.shape)}")
        visual, grid = self.clip_model.visual, self.grid(pixels)
        padded = self.normalise(pad_to_multiple(pixels, self.patch_size))
        patches = visual.conv1(padded.to(visual.conv1.weight.dtype))  # [B, D, h, w]
        patches = patches.flatten(2).transpose(1, 2)  # [B, h*w, D]
        class_token = visual.class_embedding.expand(len(patches), 1, -1)
        table = resize_position_table(visual.positional_embedding, grid, self.native_grid, overshoot=overshoot)
        return visual.ln_pre(torch.cat([class_token, patches], dim=1) + table)  # [B, 1 + h*w, D]

    def finish(self, tokens: Tensor) -> Tensor:
        """Any tokens [..., D] after the last block -> the joint space [..., E], not normalised."""
        return self.clip_model.visual.ln_post(tokens) @ self.clip_model.visual.proj

    def encode_image(self, pixels: Tensor) -> Tensor:
        """Whole pictures [B, 3, H, W] in [0, 1] -> [B, E], not normalised."""
        tokens = self.embed(pixels)
        for block in self.blocks:
            tokens = block(tokens)
        return self.finish(tokens[:, 0])

    def tokenize(self, prompts: Sequence[str]) -> Tensor:
        """Prompts -> token ids [n, context], zeros after the end token; long prompts are cut."""
        return _tokenizer()(list(prompts), context_length=self.clip_model.context_length)

    def encode_text(self, prompts: Sequence[str]) -> Tensor:
        """Prompts -> unit vectors [n, E], float32."""
        return F.normalize(self.text_features(prompts), dim=-1)

    def text_features(self, prompts: Sequence[str]) -> Tensor:
        """Prompts -> [n, E] float32, not normalised.

        The tower is causal, so nothing behind the end token can matter: prompts are sorted by length and every batch
        is cut at its longest, which is exact and several times faster than the whole context.
        """
        ids = self.tokenize(prompts)
        ends = ids.argmax(dim=1)  # the end token has the highest id
        vectors = torch.empty(len(ids), self.embed_dim, device=self.mean.device)
        for chosen in ends.argsort(stable=True).split(_TEXT_BATCH):
            vectors[chosen.to(vectors.device)] = self._encode_ids(ids[chosen], ends[chosen]).float()
        return vectors

    def match_space(self, vectors: Tensor) -> Tensor:
        """Text vectors live where image features live already."""
        return vectors

    def place_words(self, words: Tensor) -> Tensor:
        """Embedded words [n, L, Dt] -> the tokens [n, L, Dt] that enter the first text block; L up to the context."""
        return words + self.clip_model.positional_embedding[: words.shape[1]]

    def finish_text(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """Tokens [n, L, Dt] after the last text block, end positions [n] -> [n, E], not normalised."""
        last = tokens[torch.arange(len(tokens), device=tokens.device), ends.to(tokens.device)]  # [n, Dt]
        return self.clip_model.ln_final(last) @ self.clip_model.text_projection

    def _encode_ids(self, ids: Tensor, ends: Tensor) -> Tensor:
        cut = ids[:, : int(ends.max()) + 1].to(self.mean.device)  # [n, L]
        tokens = self.place_words(self.clip_model.token_embedding(cut))  # [n, L, Dt]
        attn_mask = causal_mask(tokens)
        for block in self.text_blocks:
            tokens = block(tokens, attn_mask=attn_mask)
        return self.finish_text(tokens, ends)


def require_plain_vit(model_cfg: Mapping[str, Any]) -> None:
    """Check that an open_clip model config is a plain CLIP ViT with CLIP's own text tower.

    Raises:
        ConfigError: no model config at all.
        UsageError: another kind of tower; says which part this view does not have.
    """
    absent = [key for key in ("embed_dim", "vision_cfg", "text_cfg") if key not in model_cfg]
    if absent:
        raise ConfigError(f"a model config has embed_dim, vision_cfg and text_cfg; missing here: {', '.join(absent)}")
    vision, text = model_cfg["vision_cfg"], model_cfg["text_cfg"]
    if isinstance(vision.get("patch_size", 16), (tuple, list)):
        raise UsageError("patches that are not square are not supported")
    foreign = {
        f"its image tower is timm's {vision.get('timm_model_name')}": vision.get("timm_model_name"),
        "its image tower is a ResNet": isinstance(vision.get("layers"), (tuple, list)),
        "it captions beside (CoCa)": "multimodal_cfg" in model_cfg,
        "its image tower pools by attention": vision.get("attentional_pool"),
        "its image tower pools by the mean": vision.get("pool_type", "tok") != "tok",
        "it normalises after pooling": vision.get("final_ln_after_pool") or text.get("final_ln_after_pool"),
        "it has no ln_pre": vision.get("no_ln_pre"),
        "its position table is not learned": vision.get("pos_embed_type", "learnable") != "learnable",
        "its blocks are custom": any(part.get(key) for part in (vision, text) for key in _BLOCK_OPTIONS),
        f"its text tower is {text.get('hf_model_name')}": text.get("hf_model_name"),
        f"its tokenizer is {text.get('hf_tokenizer_name')}": text.get("hf_tokenizer_name"),
        "its text tower is not causal": text.get("no_causal_mask"),
        "its text tower pools otherwise than at the end token": text.get("pool_type", "argmax") != "argmax",
        "its text tower has a class token": text.get("embed_cls"),
        "its text projection is another": text.get("proj_bias") or text.get("proj_type", "linear") != "linear",
        "its towers are packed apart (custom_text)": model_cfg.get("custom_text"),
    }
    reasons = [reason for reason, holds in foreign.items() if holds]
    if reasons:
        raise UsageError(
            f"this model is no plain CLIP ViT: {'; '.join(reasons)}. densevl has no view on such towers yet; take one "
            "of ViT-B-32, ViT-B-16, ViT-L-14, ViT-L-14-336, ViT-H-14"
        )


def _make_model(model_cfg: Mapping[str, Any]) -> CLIP:
    from open_clip.model import CLIP

    config = {key: value for key, value in deepcopy(dict(model_cfg)).items() if key != "custom_text"}
    try:
        with torch.device("meta"):  # no time lost on random weights that are overwritten
            model = CLIP(**config)
    except TypeError as error:
        raise ConfigError(f"open_clip does not take this model config: {error}") from error
    model.to_empty(device="cpu")
    model.attn_mask = causal_mask(torch.empty(1, model.context_length, 1))  # a buffer, and no part of the state dict
    return model


def _hash_weights(model_cfg: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> str:
    digest = hashlib.sha256(json.dumps(model_cfg, sort_keys=True, default=str).encode())
    for name in sorted(state_dict):
        tensor = state_dict[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


@lru_cache(maxsize=1)
def _tokenizer() -> SimpleTokenizer:
    from open_clip import SimpleTokenizer

    return SimpleTokenizer()
