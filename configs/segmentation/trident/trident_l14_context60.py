"""Trident by ViT-L/14 on PASCAL Context with background; no figure was published."""

_base_ = ["./trident_b16_context60.py"]

weights = ["clip-vit-l14-openai", "dino-vit-b16", "sam-vit-b"]
parts = dict(clip_model=dict(model="ViT-L-14"), patch=14)
