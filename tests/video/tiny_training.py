"""Parts of training configs for tests, under the names that a config gives them."""

from __future__ import annotations

from typing import Any

from tests.video.models.tiny_vifi import PROMPTS, tiny_vifi
from video.models import ViFiCLIP


def tuned(**options: Any) -> ViFiCLIP:
    """A tiny ViFi-CLIP to fine-tune."""
    return tiny_vifi(**options)


def prompted(**options: Any) -> ViFiCLIP:
    """A tiny ViFi-CLIP whose learned tokens are trained."""
    return tiny_vifi(PROMPTS, **options)
