"""Trident by ViT-L/14 on PASCAL Context with 459 classes; no figure was published."""

_base_ = ["./trident_b16_context459.py"]

weights = ["clip-vit-l14-openai", "dino-vit-b16", "sam-vit-b"]
parts = dict(clip_model=dict(model="ViT-L-14"), patch=14)
