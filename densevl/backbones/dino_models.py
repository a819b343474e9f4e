"""A DINO's config -> timm's model, not yet with its weights."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from densevl.core.errors import ConfigError, UnknownNameError, UsageError

if TYPE_CHECKING:
    from timm.models.vision_transformer import VisionTransformer

_PLAIN_KEYS = {"depth", "dim", "heads", "ln_eps", "native_img", "patch"}


def make_vit(cfg: Mapping[str, Any]) -> nn.Module:
    """Build timm's model of a config; the caller's random state stays as it was.

    Args:
        cfg: `{"timm": name, ...}` or the sizes of a DINO v1 ViT; see `DINOBackbone.from_config`.

    Raises:
        UnknownNameError: timm has no such model.
        ConfigError: the config is faulty.
    """
    with torch.random.fork_rng(devices=[]):  # timm draws weights that are overwritten
        return _make_timm_model(cfg) if "timm" in cfg else _make_plain_vit(cfg)


def _make_plain_vit(cfg: Mapping[str, Any]) -> VisionTransformer:
    from timm.layers import LayerNorm
    from timm.models.vision_transformer import VisionTransformer

    absent, unknown = _PLAIN_KEYS - {"ln_eps"} - cfg.keys(), cfg.keys() - _PLAIN_KEYS
    if absent or unknown:
        raise ConfigError(
            f"a DINO config has 'timm' (a name), or {', '.join(sorted(_PLAIN_KEYS))}; "
            f"missing here: {', '.join(sorted(absent)) or 'none'}; unknown: {', '.join(sorted(unknown)) or 'none'}"
        )
    return VisionTransformer(
        img_size=cfg["native_img"],
        patch_size=cfg["patch"],
        embed_dim=cfg["dim"],
        depth=cfg["depth"],
        num_heads=cfg["heads"],
        num_classes=0,
        norm_layer=partial(LayerNorm, eps=cfg.get("ln_eps", 1e-6)),
    )


def _make_timm_model(cfg: Mapping[str, Any]) -> nn.Module:
    import timm

    name, options = cfg["timm"], {key: value for key, value in cfg.items() if key != "timm"}
    known = [*timm.list_pretrained("*dino*"), *timm.list_models("*dino*")]
    if not timm.is_model(name):
        raise UnknownNameError("model of timm", name, known)
    try:
        return timm.create_model(name, pretrained=False, num_classes=0, **options)
    except RuntimeError as error:
        raise UnknownNameError("model of timm", name, known, f"timm says: {error}") from error
    except TypeError as error:
        raise ConfigError(f"timm does not take this config of {name}: {error}") from error


def require_plain_vit(vit: nn.Module) -> None:
    """Check that a model is a ViT that the view on DINO can walk.

    Raises:
        UsageError: it is not; says what is taken.
    """
    from timm.models.eva import Eva
    from timm.models.vision_transformer import VisionTransformer

    if not isinstance(vit, (VisionTransformer, Eva)) or getattr(vit.blocks[0].attn, "qkv", None) is None:
        raise UsageError(
            f"{type(vit).__name__} is no ViT with one projection for query, key and value: densevl's view on DINO "
            "takes timm's vit_*.dino, vit_*_dinov2 and vit_*_dinov3 models"
        )
