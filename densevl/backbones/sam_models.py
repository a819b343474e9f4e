"""A SAM's config -> segment_anything's model, not yet with its weights."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from densevl.core.errors import ConfigError, UnknownNameError, WeightsError

if TYPE_CHECKING:
    from segment_anything.modeling import MaskDecoder, PromptEncoder, Sam

_PUBLISHED = {"window": 14, "img": 1024, "patch": 16, "out": 256}
# Source: Kirillov et al., "Segment Anything", ICCV 2023, code
SIZES: dict[str, dict[str, Any]] = {
    "vit_b": {"dim": 768, "depth": 12, "heads": 12, "global_idx": (2, 5, 8, 11), **_PUBLISHED},
    "vit_l": {"dim": 1024, "depth": 24, "heads": 16, "global_idx": (5, 11, 17, 23), **_PUBLISHED},
    "vit_h": {"dim": 1280, "depth": 32, "heads": 16, "global_idx": (7, 15, 23, 31), **_PUBLISHED},
}
_KEYS = set(SIZES["vit_b"])
_MOST_DECODER_HEADS, _LEAST_HEAD_WIDTH = 8, 8


def sizes_of(cfg: Mapping[str, Any]) -> dict[str, Any]:
    """The encoder's sizes that a config says, by name or one by one.

    Raises:
        UnknownNameError: no such model.
        ConfigError: a size is missing, unknown or impossible, or the last block is not global.
    """
    if not isinstance(cfg, Mapping):
        raise ConfigError(f"a SAM config is a dict such as dict(sam='vit_b'), got {cfg!r}")
    if "sam" in cfg and set(cfg) == {"sam"}:
        if not isinstance(cfg["sam"], str) or cfg["sam"] not in SIZES:
            raise UnknownNameError("SAM", str(cfg["sam"]), SIZES)
        return SIZES[cfg["sam"]]
    absent, unknown = _KEYS - cfg.keys(), cfg.keys() - _KEYS
    if absent or unknown:
        raise ConfigError(
            f"a SAM config has 'sam' (a name) alone, or {', '.join(sorted(_KEYS))}; "
            f"missing here: {', '.join(sorted(absent)) or 'none'}; unknown: {', '.join(sorted(unknown)) or 'none'}"
        )
    _check_sizes(cfg)
    return dict(cfg)


def _check_sizes(cfg: Mapping[str, Any]) -> None:
    numbers = {key: cfg[key] for key in sorted(_KEYS - {"global_idx"})}
    faulty = {key: value for key, value in numbers.items() if type(value) is not int or value < 1}
    if faulty:
        raise ConfigError(f"sizes of a SAM are whole numbers of at least 1, got {faulty}")
    blocks, depth = cfg["global_idx"], cfg["depth"]
    if not isinstance(blocks, Sequence) or not all(type(block) is int and 0 <= block < depth for block in blocks):
        raise ConfigError(f"global_idx of a SAM lists some of its blocks 0..{depth - 1}, got {blocks!r}")
    if depth - 1 not in blocks:
        raise ConfigError(f"the last of {depth} blocks must be global, got global_idx {list(blocks)}")
    for whole, part in (("dim", "heads"), ("img", "patch")):
        if cfg[whole] % cfg[part]:
            raise ConfigError(f"{whole} of a SAM must be a multiple of {part}, got {cfg[whole]} and {cfg[part]}")
    heads = _decoder_heads(cfg["out"])
    if not heads or cfg["out"] % (2 * heads):
        raise ConfigError(f"out of a SAM must split in its decoder's heads, such as 32 or 256, got {cfg['out']}")


def _decoder_heads(width: int) -> int:
    return min(_MOST_DECODER_HEADS, width // _LEAST_HEAD_WIDTH)


def make_sam(sizes: Mapping[str, Any], state_dict: Mapping[str, Tensor], *, device: str = "cpu") -> Sam:
    """Build segment_anything's model, its tensors still empty.

    Args:
        sizes: of the encoder, as `sizes_of` gives them.
        state_dict: the weights: what the decoder's sizes are read from; the published ones where they are absent.
        device: where the tensors are made.
    """
    from segment_anything.modeling import ImageEncoderViT, Sam

    with torch.device("meta"):  # no time lost on random weights that are overwritten
        encoder = ImageEncoderViT(
            img_size=sizes["img"],
            patch_size=sizes["patch"],
            embed_dim=sizes["dim"],
            depth=sizes["depth"],
            num_heads=sizes["heads"],
            out_chans=sizes["out"],
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=sizes["window"],
            global_attn_indexes=tuple(sizes["global_idx"]),
        )
        sam = Sam(encoder, _make_prompt_encoder(sizes, state_dict), _make_decoder(sizes, state_dict))
    mean, std = [123.675, 116.28, 103.53], [58.395, 57.12, 57.375]  # no part of the state dict
    sam.to_empty(device=device)
    sam.pixel_mean.copy_(torch.tensor(mean).view(3, 1, 1))
    sam.pixel_std.copy_(torch.tensor(std).view(3, 1, 1))
    return sam


def _make_prompt_encoder(sizes: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> PromptEncoder:
    from segment_anything.modeling import PromptEncoder

    grid, side = sizes["img"] // sizes["patch"], sizes["img"]
    channels = _rows(state_dict, "prompt_encoder.mask_downscaling.3.weight", 16)
    return PromptEncoder(sizes["out"], (grid, grid), (side, side), channels)


def _make_decoder(sizes: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> MaskDecoder:
    from segment_anything.modeling import MaskDecoder, TwoWayTransformer

    width, prefix = sizes["out"], "mask_decoder.transformer.layers"
    depth = sum(f"{prefix}.{layer}.norm1.weight" in state_dict for layer in range(len(state_dict)))
    transformer = TwoWayTransformer(
        depth=depth or 2,
        embedding_dim=width,
        num_heads=_decoder_heads(width),
        mlp_dim=_rows(state_dict, f"{prefix}.0.mlp.lin1.weight", 2048),
    )
    hidden = _rows(state_dict, "mask_decoder.iou_prediction_head.layers.0.weight", 256)
    return MaskDecoder(transformer_dim=width, transformer=transformer, iou_head_hidden_dim=hidden)


def _rows(state_dict: Mapping[str, Tensor], key: str, published: int) -> int:
    return state_dict[key].shape[0] if key in state_dict and state_dict[key].ndim else published


def require_size(sizes: Mapping[str, Any], state_dict: Mapping[str, Tensor]) -> None:
    """See that the weights are of the size that was asked for.

    Raises:
        WeightsError: they are of another SAM, or of none.
    """
    table = state_dict.get("image_encoder.pos_embed")
    if not isinstance(table, Tensor) or table.ndim != 4:
        raise WeightsError("these weights are no SAM's: image_encoder.pos_embed is missing; give a sam_vit_*.pth")
    names = {size["dim"]: name for name, size in SIZES.items()}
    wanted, came = (names.get(width, f"width {width}") for width in (sizes["dim"], table.shape[-1]))
    if wanted != came:
        raise WeightsError(f"these weights are of SAM {came}, the model is SAM {wanted}: give the weights of {wanted}")
