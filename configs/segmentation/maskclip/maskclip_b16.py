"""MaskCLIP on ViT-B/16, LAION-2B: the weights CLIP-DINOiser was published with."""

_base_ = ["../../_base_/models/maskclip_dinoiser.py"]

weights = ["clip-vit-b16-laion2b"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-16", pretrained="laion2b"))
