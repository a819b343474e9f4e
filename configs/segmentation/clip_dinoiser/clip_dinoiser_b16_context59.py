"""CLIP-DINOiser on PASCAL Context without background, as published."""

_base_ = ["./clip_dinoiser_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="clip-dinoiser", classes="context59@clip-dinoiser")
