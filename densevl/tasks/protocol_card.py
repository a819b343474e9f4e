"""The protocol card: everything beside the data that decides a figure, so that two figures can be compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from densevl.weights import hash_module

if TYPE_CHECKING:
    from torch import nn


def describe_model(task: Any) -> dict[str, Any]:
    """Name, hash of the tensors as loaded, config, normalisation, precision, device.

    Args:
        task: a model that `densevl.load` gave.
    """
    return {
        "model": task.name,
        "weights": hash_module(task),
        "config": task.config_text,
        "normalisation": _normalisation(task),
        "precision": str(task.dtype).removeprefix("torch."),
        "device": task.device.type,
    }


def _normalisation(module: nn.Module) -> Any:
    """Mean and deviation in [0, 1] where the model shows them."""
    buffers = dict(module.named_buffers())
    for name, mean in buffers.items():
        std = buffers.get(f"{name[: -len('mean')]}std")
        if name.rpartition(".")[2] == "mean" and std is not None:
            return {"mean": _rounded(mean), "std": _rounded(std)}
    return "the model's own"


def _rounded(values: Any) -> list[float]:
    return [round(float(value), 6) for value in values.flatten().tolist()]
