"""MaskCLIP on ViT-H/14, LAION-2B."""

_base_ = ["../../_base_/models/maskclip_dinoiser.py"]

weights = ["clip-vit-h14-laion2b"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-H-14", pretrained="laion2b"))
