"""Checkpoints of a training run: all that the next update depends on, readable with `weights_only`."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import os
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import save as to_safetensors

from densevl.core.errors import WeightsError
from densevl.core.files import FIELDS, UNREADABLE, write_atomic

logger = logging.getLogger(__name__)

NEWEST, PREVIOUS = "checkpoint.pt", "checkpoint_previous.pt"
_COMING = "checkpoint_coming.pt"


def save_checkpoint(folder: Path, content: Mapping[str, Any]) -> Path:
    """Write `checkpoint.pt` whole or not at all; the one before stays as `checkpoint_previous.pt`.

    Raises:
        OutputError: the folder cannot be written.
    """
    path, coming = folder / NEWEST, folder / _COMING
    write_atomic(coming, _torch_bytes(content))  # a full disk is met while both old ones are still there
    if path.exists():
        os.replace(path, folder / PREVIOUS)
    os.replace(coming, path)
    return path


def save_release(folder: Path, name: str, content: Mapping[str, Any]) -> Path:
    """Write what is handed on: `<name>.pt` in the published layout, and its tensors as `<name>.safetensors`.

    Args:
        folder: of the run.
        name: `last` or `best`.
        content: what the published file holds; its tensors stand under `model_state_dict` or `model`, and what is
            beside them (plain values) becomes metadata of the second file, see `weights.read_field`.

    Returns:
        The path of the first.

    Raises:
        OutputError: the folder cannot be written.
    """
    path = folder / f"{name}.pt"
    write_atomic(path, _torch_bytes(content))
    state = content["model_state_dict"] if "model_state_dict" in content else content["model"]
    tensors = {key: tensor.contiguous() for key, tensor in state.items()}
    fields = {key: value for key, value in content.items() if value is not state}
    # one entry: safetensors writes several in any order, and equal runs shall give equal bytes
    notes = {FIELDS: json.dumps(fields, sort_keys=True)}
    write_atomic(path.with_suffix(".safetensors"), to_safetensors(tensors, metadata=notes))
    return path


def load_checkpoint(place: Path) -> dict[str, Any]:
    """Read a checkpoint file, or the newest readable one of a run's folder.

    A damaged newest one is taken out of the way, so that the next save does not put it in the place of the good one.

    Raises:
        WeightsError: there is none, or none can be read.
    """
    files = [place / NEWEST, place / PREVIOUS] if place.is_dir() else [place]
    faults = []
    for path in files:
        try:
            content = torch.load(path, map_location="cpu", weights_only=True)
        except FileNotFoundError:
            faults.append(f"{path} is not there")
        except UNREADABLE as error:
            faults.append(f"{path} cannot be read ({str(error).splitlines()[0] if str(error) else 'empty'})")
        else:
            if isinstance(content, dict) and "settings" in content:
                if path.name == PREVIOUS and place.is_dir():
                    _set_aside(place / NEWEST)
                return content
            faults.append(f"{path} is no checkpoint of a run (a release, perhaps)")
    raise WeightsError(f"no checkpoint to go on from: {'; '.join(faults)}. Give the folder of a run, or train anew")


def _set_aside(path: Path) -> None:
    with contextlib.suppress(OSError):  # it may not be there at all, and a folder may only be read
        os.replace(path, path.with_name("checkpoint_damaged.pt"))
        logger.warning("%s is damaged: going on from %s", path, PREVIOUS)


def _torch_bytes(content: Mapping[str, Any]) -> bytes:
    stream = io.BytesIO()
    torch.save(dict(content), stream)
    return stream.getvalue()


def random_states() -> dict[str, Any]:
    """The states of Python's, NumPy's and torch's generators, as numbers, lists and tensors."""
    version, numbers, gauss = random.getstate()
    kind, keys, place, has_gauss, cached = np.random.get_state(legacy=True)
    return {
        "python": [version, list(numbers), gauss],
        "numpy": [kind, torch.from_numpy(keys.astype(np.int64)), int(place), int(has_gauss), float(cached)],
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state_all() if torch.cuda.is_available() else [],
    }


def restore_random_states(states: Mapping[str, Any]) -> None:
    """Put the generators back; those of GPUs only where there are as many."""
    version, numbers, gauss = states["python"]
    random.setstate((version, tuple(numbers), gauss))
    kind, keys, place, has_gauss, cached = states["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), place, has_gauss, cached))
    torch.set_rng_state(states["torch"])
    with contextlib.suppress(RuntimeError):
        torch.cuda.set_rng_state_all(states["cuda"])
