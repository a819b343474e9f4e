"""MaskCLIP on ADE20K, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="maskclip")
