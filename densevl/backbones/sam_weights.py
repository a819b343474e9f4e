"""load_sam: from a name or a file to a SAMBackbone."""

from __future__ import annotations

from pathlib import Path

from densevl.backbones.sam import SAMBackbone
from densevl.core.errors import UnknownNameError, WeightsError
from densevl.weights import get_row, locate, read_state_dict

_NAMES = {"sam-vit-b": "vit_b", "sam-vit-l": "vit_l", "sam-vit-h": "vit_h"}


def load_sam(name: str = "sam-vit-b", *, weights: str | Path | None = None, offline: bool | None = None) -> SAMBackbone:
    """Load a SAM with its weights; never random.

    Args:
        name: sam-vit-b, sam-vit-l or sam-vit-h.
        weights: a file of that size; None: the published one.
        offline: never download; None: as the environment says.

    Raises:
        UnknownNameError: no such model.
        WeightsError: the weights are missing, damaged, of another size, or do not fit.
    """
    if name not in _NAMES:
        raise UnknownNameError("SAM", name, _NAMES)
    path = locate(get_row(name), offline=offline) if weights is None else Path(weights).expanduser()
    state_dict = read_state_dict(path)
    try:
        return SAMBackbone.from_config({"sam": _NAMES[name]}, state_dict)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
