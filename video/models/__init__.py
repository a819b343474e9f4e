"""Models of videos: clips [B, T, 3, H, W] x class names -> logits [B, K]."""

from video.models.prompts import PromptSizes
from video.models.vifi_clip import ViFiCLIP

__all__ = ["PromptSizes", "ViFiCLIP"]
