"""MaskCLIP on PASCAL Context with background, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="maskclip", classes="context60@clip-dinoiser")
model = dict(rivals=False)
