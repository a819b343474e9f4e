"""A tiny ViFi-CLIP for tests: width 48, 4 blocks, text 32, 2 blocks, 64 px."""

from __future__ import annotations

from typing import Any

import torch

from tests.tiny import tiny_clip, tiny_clip_weights
from video.models import PromptSizes, ViFiCLIP

NAMES = ("abseiling", "playing_guitar", "zumba")
PROMPTS = PromptSizes(text_tokens=5, text_depth=2, vision_tokens=3, vision_depth=3)
HEADS = (3, 2)


def tiny_vifi(prompts: PromptSizes | None = None, **options: Any) -> ViFiCLIP:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        return ViFiCLIP(tiny_clip(quick_gelu=True), NAMES, prompts=prompts, **options)


def published(prompts: PromptSizes | None = None) -> dict[str, torch.Tensor]:
    """The tensors of a checkpoint."""
    return tiny_vifi(prompts).to_state_dict()


def token_table() -> torch.Tensor:
    return tiny_clip_weights()["token_embedding.weight"]


def tiny_video(batch: int = 2, frames: int = 3, side: int = 64) -> torch.Tensor:
    return torch.rand(batch, frames, 3, side, side, generator=torch.Generator().manual_seed(3))
