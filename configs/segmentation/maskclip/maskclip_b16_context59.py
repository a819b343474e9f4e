"""MaskCLIP on PASCAL Context without background, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="maskclip", classes="context59@clip-dinoiser")
