"""CLIP-DINOiser on PASCAL VOC with background, as published."""

_base_ = ["./clip_dinoiser_b16_background.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="clip-dinoiser", classes="voc21@clip-dinoiser")
