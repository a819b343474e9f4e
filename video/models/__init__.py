"""Models of videos: clips [B, T, 3, H, W] x class names -> logits [B, K]."""

from video.models.frame_mean import LiteFrameMean
from video.models.prompts import PromptSizes
from video.models.vifi_clip import ViFiCLIP
from video.models.vifi_weights import load_vifi_clip

__all__ = ["LiteFrameMean", "PromptSizes", "ViFiCLIP", "load_vifi_clip"]
