"""NACLIP ("reduced"), ViT-B/16 OpenAI. Published without and with --refine pamr, --short-side 560 for Cityscapes."""

_base_ = ["../../_base_/models/self_attention.py"]

model = dict(extractor=dict(pairs=("kk",), sigma=5.0, keep_residual=False, keep_mlp=False))
