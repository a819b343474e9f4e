"""Trident by ViT-L/14 on PASCAL VOC without background; no figure was published."""

_base_ = ["./trident_b16_voc20.py"]

weights = ["clip-vit-l14-openai", "dino-vit-b16", "sam-vit-b"]
parts = dict(clip_model=dict(model="ViT-L-14"), patch=14)
