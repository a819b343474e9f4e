"""Trident on ViT-H/14, LAION-2B, with DINO ViT-B/16 and SAM ViT-B."""

_base_ = ["../../_base_/models/trident.py"]

weights = ["clip-vit-h14-laion2b", "dino-vit-b16", "sam-vit-b"]
parts = dict(
    clip_model=dict(type="densevl.backbones.load_clip", model="ViT-H-14", pretrained="laion2b"),
    patch=14,
)
