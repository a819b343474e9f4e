"""NACLIP ("reduced"), ViT-B/16 OpenAI. Published without and with --refine pamr, at distances of its own."""

_base_ = ["../../_base_/models/self_attention.py"]

model = dict(extractor=dict(pairs=("kk",), sigma=5.0, keep_residual=False, keep_mlp=False))
refine = dict(pamr=[dict(type="densevl.refiners.PAMRRefiner", dilations=(8, 16))])
