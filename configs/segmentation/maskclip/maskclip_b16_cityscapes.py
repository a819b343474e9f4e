"""MaskCLIP on Cityscapes, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="maskclip")
