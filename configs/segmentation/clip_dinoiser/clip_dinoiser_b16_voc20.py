"""CLIP-DINOiser on PASCAL VOC without background, as published."""

_base_ = ["./clip_dinoiser_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="clip-dinoiser", classes="voc20@clip-dinoiser")
