"""ClearCLIP, ViT-B/16 OpenAI."""

_base_ = ["../../_base_/models/self_attention.py"]

model = dict(
    extractor=dict(pairs=("qq",), keep_residual=False, keep_mlp=False),
    head=dict(logit_scale=50.0),
    geometry=dict(short_side=448, window=448, stride=224),
)
