"""Parameters in groups with a learning rate each."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import nn

from densevl.core.errors import UsageError


def layer_groups(
    layers: Sequence[Sequence[nn.Parameter]], *, rate: float, layer_decay: float = 1.0, **options: Any
) -> list[dict[str, Any]]:
    """A group a layer, with a lower rate from each layer to the one before it; one group where the rates are equal.

    Args:
        layers: parameters from the first layer to the last; layers without any get no group.
        rate: learning rate of the last layer.
        layer_decay: layer i of n has rate * layer_decay ** (n - 1 - i).
        **options: what every group has beside, such as betas.

    Raises:
        UsageError: nothing to train, or a decay outside (0, 1].

    Source: Bao et al., BEiT, ICLR 2022, appendix.
    """
    if not 0 < layer_decay <= 1:
        raise UsageError(f"layer_decay must be in (0, 1], got {layer_decay}")
    if not any(layers):
        raise UsageError("nothing to train: every parameter is frozen")
    if layer_decay == 1:
        return [{"params": [parameter for layer in layers for parameter in layer], "lr": rate, **options}]
    last = len(layers) - 1
    return [
        {"params": list(layer), "lr": rate * layer_decay ** (last - place), **options}
        for place, layer in enumerate(layers)
        if layer
    ]
