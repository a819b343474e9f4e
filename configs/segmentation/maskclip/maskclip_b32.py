"""MaskCLIP on ViT-B/32, LAION-2B: the fastest, coarse."""

_base_ = ["../../_base_/models/maskclip_dinoiser.py"]

weights = ["clip-vit-b32-laion2b"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-32", pretrained="laion2b"))
