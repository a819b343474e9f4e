"""load_dino: from a name or a file to a DINOBackbone."""

from __future__ import annotations

from pathlib import Path

from densevl.backbones.dino import DINOBackbone
from densevl.core.errors import UnknownNameError, WeightsError
from densevl.weights import TABLE, locate, read_state_dict


def load_dino(
    name: str = "dino-vit-b16", *, weights: str | Path | None = None, offline: bool | None = None
) -> DINOBackbone:
    """Load a DINO with its weights; never random.

    Args:
        name: of the weights table, such as dino-vit-b16, dinov2-vit-b14-reg, dinov3-vit-b16; or timm's name.
        weights: a file in timm's or facebookresearch's key names; None: the published one.
        offline: never download; None: as the environment says.

    Raises:
        UnknownNameError: no such model, or no published weights for it.
        WeightsError: the weights are missing, damaged or do not fit.
    """
    rows = {row.name: row for row in TABLE.values() if row.timm is not None}
    row = rows.get(name) or next((row for row in rows.values() if row.timm == name), None)
    if row is None and weights is None:
        raise UnknownNameError("DINO", name, rows, "Another model of timm needs a file of weights beside its name.")
    path = locate(row, offline=offline) if weights is None and row is not None else Path(str(weights)).expanduser()
    state_dict = read_state_dict(path)
    try:
        return DINOBackbone.from_config({"timm": name if row is None else row.timm}, state_dict)
    except WeightsError as error:
        raise WeightsError(f"{path}: {error}") from error
