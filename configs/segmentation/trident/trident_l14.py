"""Trident on ViT-L/14, OpenAI, with DINO ViT-B/16 and SAM ViT-B."""

_base_ = ["../../_base_/models/trident.py"]

weights = ["clip-vit-l14-openai", "dino-vit-b16", "sam-vit-b"]
parts = dict(
    clip_model=dict(type="densevl.backbones.load_clip", model="ViT-L-14", pretrained="openai"),
    patch=14,
)
