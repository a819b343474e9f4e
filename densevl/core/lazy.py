"""Names of a package that are imported when they are first used (PEP 562), so that importing it stays cheap."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_exports(
    package: str, homes: Mapping[str, str], rooms: Sequence[str] = ()
) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """What a package assigns to `__getattr__` and `__dir__`.

    Args:
        package: its dotted name.
        homes: name -> the module that defines it.
        rooms: modules below the package that are names of it too.
    """

    def _get(name: str) -> Any:
        if name in homes:
            return getattr(importlib.import_module(homes[name]), name)
        if name in rooms:
            return importlib.import_module(f"{package}.{name}")
        raise AttributeError(f"module '{package}' has no attribute '{name}'")

    return _get, lambda: sorted([*homes, *rooms])
