"""Trident by ViT-L/14 on ADE20K with 847 classes; no figure was published."""

_base_ = ["./trident_b16_ade847.py"]

weights = ["clip-vit-l14-openai", "dino-vit-b16", "sam-vit-b"]
parts = dict(clip_model=dict(model="ViT-L-14"), patch=14)
