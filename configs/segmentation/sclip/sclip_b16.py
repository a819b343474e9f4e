"""SCLIP, ViT-B/16 OpenAI. Published with --short-side 560 for Cityscapes and 448 for COCO-Stuff."""

_base_ = ["../../_base_/models/self_attention.py"]

model = dict(extractor=dict(pairs=("qq", "kk")))
