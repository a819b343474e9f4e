"""Evaluation of video recognisers: lists of clips -> accuracies, with the card that says how they came about."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

_HOMES = {
    "ClipEvaluation": "video.evaluate.run",
    "PROTOCOLS": "video.evaluate.protocols",
    "Validation": "video.evaluate.validation",
}

__all__ = ["PROTOCOLS", "ClipEvaluation", "Validation"]

if TYPE_CHECKING:
    from video.evaluate.protocols import PROTOCOLS
    from video.evaluate.run import ClipEvaluation
    from video.evaluate.validation import Validation


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        return getattr(importlib.import_module(_HOMES[name]), name)
    raise AttributeError(f"module 'video.evaluate' has no attribute '{name}'")
