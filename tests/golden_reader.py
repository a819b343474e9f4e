"""Golden files: every key that a check does not read makes it fail."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import torch

FOLDER = Path(os.environ.get("DENSEVL_GOLDEN", Path(__file__).parent / "golden"))


class GoldenFile:
    """One `.npz`; `file[key]` notes the key, `finish()` fails on keys that nobody read."""

    def __init__(self, stem: str) -> None:
        self.stem = stem
        self._arrays = np.load(FOLDER / f"{stem}.npz", allow_pickle=False)
        self._read: set[str] = set()

    def __getitem__(self, key: str) -> np.ndarray:
        self._read.add(key)
        return self._arrays[key]

    def __contains__(self, key: str) -> bool:
        return key in self._arrays.files

    def tensor(self, key: str) -> torch.Tensor:
        return torch.from_numpy(np.array(self[key]))  # a copy, of any shape, also []

    def keys(self, prefix: str = "") -> list[str]:
        return [key for key in self._arrays.files if key.startswith(prefix)]

    @property
    def config(self) -> dict[str, Any]:
        return json.loads(str(self["__config__"]))

    def sibling(self, stem: str) -> GoldenFile:
        """Another file of the same folder, such as shared weights; its keys are not counted."""
        return GoldenFile(f"{self.stem.rpartition('/')[0]}/{stem}")

    def pardon(self, key: str, reason: str) -> None:
        """Allow a key to stay unread, with the reason."""
        assert reason
        self._read.add(key)

    def finish(self) -> None:
        unread = sorted(set(self._arrays.files) - self._read)
        assert not unread, f"{self.stem}: keys neither used nor compared: {unread}"


def assert_close(actual: torch.Tensor | np.ndarray, expected: np.ndarray, *, atol: float, rtol: float = 0.0) -> None:
    """Equal shape, and close to an absolute (and relative) tolerance."""
    found = actual.detach().cpu().numpy() if isinstance(actual, torch.Tensor) else actual
    assert found.shape == expected.shape, f"shape {found.shape}, expected {expected.shape}"
    np.testing.assert_allclose(found, expected, atol=atol, rtol=rtol)


def thin(values: torch.Tensor, expected: np.ndarray, *, axes: tuple[int, ...] = (-2, -1)) -> torch.Tensor:
    """Every n-th place of some axes, as a file keeps them: of all n that give its shape, the one nearest to it."""
    step = thinning(values, expected, axes=axes)
    return _every(values, step, axes)


def thinning(values: torch.Tensor, expected: np.ndarray, *, axes: tuple[int, ...] = (-2, -1)) -> int:
    """The n of `thin`."""
    sides = [(values.shape[axis], expected.shape[axis]) for axis in axes]
    steps = [n for n in range(1, max(map(max, sides)) + 1) if all(-(-side // n) == kept for side, kept in sides)]
    assert steps, f"no sample of every n-th place of {tuple(values.shape)} has the shape {expected.shape}"
    return min(steps, key=lambda n: float((_every(values, n, axes) - torch.from_numpy(expected)).abs().max()))


def _every(values: torch.Tensor, step: int, axes: tuple[int, ...]) -> torch.Tensor:
    for axis in axes:
        values = values.index_select(axis, torch.arange(0, values.shape[axis], step))
    return values
