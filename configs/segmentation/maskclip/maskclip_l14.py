"""MaskCLIP on ViT-L/14, LAION-2B."""

_base_ = ["../../_base_/models/maskclip_dinoiser.py"]

weights = ["clip-vit-l14-laion2b"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-L-14", pretrained="laion2b"))
