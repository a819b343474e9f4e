"""CLIP-DINOiser as published, ViT-B/16 LAION-2B; for class lists without a background class."""

_base_ = ["../../_base_/models/clip_dinoiser.py"]

weights = ["clip-vit-b16-laion2b", "clip-dinoiser-last"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-16", pretrained="laion2b"))
