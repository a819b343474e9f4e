"""SCLIP, ViT-B/16 OpenAI."""

_base_ = ["../../_base_/models/self_attention.py"]

model = dict(extractor=dict(pairs=("qq", "kk")))
