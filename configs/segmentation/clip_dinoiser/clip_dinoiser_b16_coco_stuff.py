"""CLIP-DINOiser on COCO-Stuff, as published."""

_base_ = ["./clip_dinoiser_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="clip-dinoiser")
