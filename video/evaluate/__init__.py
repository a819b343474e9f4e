"""Evaluation of video recognisers: lists of clips -> accuracies, with the card that says how they came about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from densevl.core.lazy import lazy_exports

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

__getattr__, __dir__ = lazy_exports(__name__, _HOMES)
