"""CLIP-DINOiser on Cityscapes, as published."""

_base_ = ["./clip_dinoiser_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="clip-dinoiser")
