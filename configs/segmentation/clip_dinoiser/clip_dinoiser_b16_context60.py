"""CLIP-DINOiser on PASCAL Context with background, as published."""

_base_ = ["./clip_dinoiser_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="clip-dinoiser", classes="context60@clip-dinoiser")
