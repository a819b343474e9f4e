"""load_vifi_clip: a published checkpoint of ViFi-CLIP, together with the CLIP whose token table it lacks."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from densevl.core.errors import WeightsError
from densevl.weights import locate_file, read_state_dict
from video.models.vifi_clip import ViFiCLIP
from video.models.vifi_keys import TOKEN_TABLE


def load_vifi_clip(
    weights: str | Path = "vifi-clip-b16-k400",
    class_names: Sequence[str] = (),
    *,
    clip: str | Path = "clip-vit-b16-openai",
    trust: bool = False,
    offline: bool | None = None,
    **options: Any,
) -> ViFiCLIP:
    """Load ViFi-CLIP from weights of the table, or from a file in the published layout.

    Args:
        weights: a name of the table, or a file: the tensors may stand under `model`, beside an optimizer and a config.
        class_names: any list, or none.
        clip: the CLIP that was fine-tuned, of which the token table is taken; a name of the table, or a file.
        trust: open `clip` also where it is a TorchScript archive of unknown hash.
        offline: never download; None: as the environment says.
        **options: see `ViFiCLIP.from_state_dict`.

    Raises:
        UnknownNameError: no such weights.
        WeightsError: missing, damaged, or not fitting; names the file.
    """
    path = locate_file(weights, offline=offline)
    state_dict = read_state_dict(path)
    if TOKEN_TABLE not in state_dict:
        options.setdefault("token_table", _token_table(locate_file(clip, offline=offline), trust))
    try:
        return ViFiCLIP.from_state_dict(state_dict, class_names, **options)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error


def _token_table(path: Path, trust: bool) -> Tensor:
    state_dict = read_state_dict(path, trust=trust)
    if TOKEN_TABLE not in state_dict:
        raise WeightsError(f"{path} has no {TOKEN_TABLE}: give the CLIP that was fine-tuned, with its text tower")
    return state_dict[TOKEN_TABLE]
