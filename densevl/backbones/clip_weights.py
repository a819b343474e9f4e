"""load_clip: from a name and a tag, a file, a folder or a hub repository to a CLIPBackbone."""

from __future__ import annotations

import json
import logging
import posixpath
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from densevl.backbones.clip import CLIPBackbone, require_plain_vit
from densevl.core.errors import UnknownNameError, UsageError, WeightsError
from densevl.weights import (
    WeightsRow,
    file_hash,
    find_clip_row,
    find_hash,
    hub_hash,
    is_offline,
    locate,
    read_state_dict,
)
from densevl.weights.download import fetch_from_hub
from densevl.weights.table import HUB_FILES

logger = logging.getLogger(__name__)

_CONFIG_FILE = "open_clip_config.json"


@dataclass(frozen=True)
class _Checkpoint:
    """What there is to load: the config, the file, and which activation it is known to need."""

    model_cfg: Mapping[str, Any]
    path: Path
    quick_gelu: bool | None  # None: the file does not say
    preprocess_cfg: Mapping[str, Any] = field(default_factory=dict)


def load_clip(
    model: str = "ViT-B-16",
    pretrained: str | None = "openai",
    *,
    quickgelu: bool | None = None,
    trust: bool = False,
    offline: bool | None = None,
) -> CLIPBackbone:
    """Load a CLIP with its weights; never random, never a tower that does not fit.

    Args:
        model: open_clip's name, such as ViT-B-16; `hf-hub:` and `local-dir:` bring their own.
        pretrained: a tag (openai, laion2b, datacomp, dfn, metaclip, or open_clip's full one), a file (safetensors,
            .pt, .bin, OpenAI's archive), `hf-hub:owner/repository`, or `local-dir:folder` with open_clip_config.json.
        quickgelu: the weights need QuickGELU; None: as the tag, the config or the file's known hash says.
        trust: open a TorchScript archive of unknown hash.
        offline: never download; None: as the environment says.

    Raises:
        UnknownNameError: no such model or tag.
        UsageError: the tower is no plain CLIP ViT, or QuickGELU was denied to weights that need it.
        WeightsError: no weights named, missing, damaged, not trusted, or not fitting.
    """
    if not pretrained:
        raise WeightsError(
            f"{model} without weights would be random: name a tag (openai, laion2b, ...), a file, or hf-hub:..."
        )
    place = next((text for text in (pretrained, model) if text.startswith(("hf-hub:", "local-dir:"))), None)
    if place is not None:
        checkpoint = _from_folder(place, offline)
    else:
        checkpoint = _from_name(model.replace("/", "-"), pretrained, offline)
    quick_gelu = _activation(checkpoint, quickgelu)
    hashed = hub_hash(checkpoint.path) or file_hash(checkpoint.path)
    state_dict = read_state_dict(checkpoint.path, trust=trust)
    try:
        return CLIPBackbone.from_config(
            {**checkpoint.model_cfg, "quick_gelu": quick_gelu},
            state_dict,
            preprocess_cfg=checkpoint.preprocess_cfg,
            weights_id=f"{hashed}-{'quickgelu' if quick_gelu else 'gelu'}",
        )
    except WeightsError as error:
        raise WeightsError(f"{checkpoint.path}: {error}") from error


def _from_name(model: str, pretrained: str, offline: bool | None) -> _Checkpoint:
    from open_clip import get_model_config, list_models
    from open_clip.pretrained import get_pretrained_cfg, list_pretrained_tags_by_model

    model_cfg = get_model_config(model)
    if model_cfg is None:
        raise UnknownNameError("CLIP model", model, list_models())
    require_plain_vit(model_cfg)
    quick_gelu = True if model_cfg.get("quick_gelu") else None
    base = model.removesuffix("-quickgelu")
    row = find_clip_row(base, pretrained)
    tag_cfg = get_pretrained_cfg(base, row.clip[1] if row is not None and row.clip is not None else pretrained)
    if tag_cfg:
        path = locate(row or _row_of_tag(base, pretrained, tag_cfg), offline=offline)
        return _Checkpoint(model_cfg, path, quick_gelu or bool(tag_cfg.get("quick_gelu")), tag_cfg)
    path = Path(pretrained).expanduser()
    if not path.is_file():
        hint = f"It is no file either. A file is given by its path, with {', '.join(('.safetensors', '.pt', '.bin'))}."
        raise UnknownNameError(f"weights for {model}", pretrained, list_pretrained_tags_by_model(base), hint)
    known = find_hash(file_hash(path))
    return _Checkpoint(model_cfg, path, quick_gelu if known is None else known.quick_gelu)


def _row_of_tag(model: str, tag: str, tag_cfg: Mapping[str, Any]) -> WeightsRow:
    """A row for a tag that open_clip knows and our table does not."""
    repository = posixpath.dirname(tag_cfg.get("hf_hub", ""))
    source = f"hf:{repository}" if repository else tag_cfg["url"]
    return WeightsRow(name=f"{model}-{tag}".lower(), source=source, licence="not known")


def _from_folder(place: str, offline: bool | None) -> _Checkpoint:
    kind, _, name = place.partition(":")
    if kind == "local-dir":
        folder = Path(name).expanduser()
        path = next((folder / file for file in HUB_FILES if (folder / file).is_file()), None)
        if path is None:
            raise WeightsError(f"{folder} holds none of {', '.join(HUB_FILES)}: give the file itself, or that folder")
    else:
        row = WeightsRow(name=name.replace("/", "--"), source=f"hf:{name}", licence="not known")
        path = locate(row, offline=offline)
    config_path = path.with_name(_CONFIG_FILE)
    if not config_path.is_file():
        if kind == "local-dir" or is_offline(offline):
            raise WeightsError(f"{config_path} is missing: it says which model the weights beside it are")
        config_path = fetch_from_hub(name, (_CONFIG_FILE,))
    config = _read_config(config_path)
    require_plain_vit(config["model_cfg"])
    known = find_hash(file_hash(path)) if kind == "local-dir" else None
    quick_gelu = bool(config["model_cfg"].get("quick_gelu")) or (known is not None and known.quick_gelu)
    return _Checkpoint(config["model_cfg"], path, quick_gelu, config.get("preprocess_cfg") or {})


def _read_config(path: Path) -> dict[str, Any]:
    try:
        config = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path} cannot be read as JSON: {error}") from error
    if not isinstance(config, dict) or "model_cfg" not in config:
        raise WeightsError(f"{path} has no 'model_cfg': it is no config of open_clip")
    return config


def _activation(checkpoint: _Checkpoint, asked: bool | None) -> bool:
    if checkpoint.quick_gelu and asked is False:
        raise UsageError(f"{checkpoint.path} was trained with QuickGELU; with GELU its features are wrong")
    if checkpoint.quick_gelu is None and asked is None:
        logger.warning(
            "%s does not say its activation: GELU is taken. Weights of OpenAI, DFN or MetaCLIP need --quickgelu",
            checkpoint.path,
        )
    return bool(checkpoint.quick_gelu) if asked is None else asked
