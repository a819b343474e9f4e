"""A stand-in for `mmcv._ext`, the compiled ops that mmcv-lite comes without: with it, all of mmseg imports.

Every op of it raises `MissingOpError` when it is called; no result is ever faked. Where the compiled extension is
installed, nothing is done. Workers that start afresh (spawn, forkserver) need it too: call `ensure` at the top of a
module that they import, above the imports of mmseg.
"""

from __future__ import annotations

import importlib.util
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any, NoReturn

from densevl.core.errors import UsageError

_NAME = "mmcv._ext"


class MissingOpError(UsageError):
    """A compiled op of mmcv was called, and there is none."""


def ensure() -> bool:
    """Let mmseg import without mmcv's compiled ops. Called again, it does nothing.

    Returns:
        Whether the stand-in stands; False: the compiled ops are there.
    """
    if _NAME not in sys.modules and importlib.util.find_spec(_NAME) is None:
        sys.modules[_NAME] = _StandIn(_NAME)
    return isinstance(sys.modules.get(_NAME), _StandIn)


class _StandIn(ModuleType):
    """A module with an op of any name."""

    def __init__(self, name: str) -> None:
        super().__init__(name, "No compiled ops: see densevl.interop.mmcv_ext.")
        self.__spec__ = ModuleSpec(name, loader=None)  # by the absent loader, mmcv's check_ops_exist says no

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # what Python itself asks of a module is no op
            raise AttributeError(f"module '{_NAME}' has no attribute '{name}'")
        return _MissingOp(name)


class _MissingOp:
    def __init__(self, name: str) -> None:
        self.__name__ = name

    def __call__(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise MissingOpError(
            f"expected mmcv's compiled op '{self.__name__}', but mmcv-lite comes without compiled ops: "
            "`python tools/build_mmcv.py` builds them (docs/mmseg.md); models of densevl need none"
        )

    def __repr__(self) -> str:
        return f"<absent op {self.__name__} of {_NAME}>"
