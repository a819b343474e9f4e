"""The one place where functions are compiled with numba."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any


def compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile at the first call, without the GIL, and keep the machine code on disk for the next process.

    numba keeps it beside the source file, or in the user's cache folder where that one is read-only; where neither
    can be written, every process compiles anew. Kernels may rely on finite numbers: NaN is not looked for.
    """
    from numba import njit

    options: dict[str, Any] = {"nogil": True, "fastmath": {"nnan", "nsz", "contract"}}
    try:
        return njit(cache=True, **options)(function)  # type: ignore[no-any-return]
    except RuntimeError:  # no folder for the machine code
        return njit(**options)(function)  # type: ignore[no-any-return]
