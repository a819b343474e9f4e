"""MaskCLIP with the values alone: neither residual nor MLP in the last block."""

_base_ = ["maskclip_dinoiser.py"]

model = dict(extractor=dict(keep_residual=False, keep_mlp=False))
