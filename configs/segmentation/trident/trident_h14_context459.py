"""Trident by ViT-H/14 on PASCAL Context with 459 classes; no figure was published."""

_base_ = ["./trident_b16_context459.py"]

weights = ["clip-vit-h14-laion2b", "dino-vit-b16", "sam-vit-b"]
parts = dict(clip_model=dict(model="ViT-H-14", pretrained="laion2b"), patch=14)
