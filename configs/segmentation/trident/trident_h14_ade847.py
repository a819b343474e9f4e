"""Trident by ViT-H/14 on ADE20K with 847 classes; no figure was published."""

_base_ = ["./trident_b16_ade847.py"]

weights = ["clip-vit-h14-laion2b", "dino-vit-b16", "sam-vit-b"]
parts = dict(clip_model=dict(model="ViT-H-14", pretrained="laion2b"), patch=14)
