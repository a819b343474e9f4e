"""CLIP-DINOiser on ADE20K, as published."""

_base_ = ["./clip_dinoiser_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="clip-dinoiser")
