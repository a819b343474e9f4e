"""CLIP-DINOiser on COCO-Object, as published."""

_base_ = ["./clip_dinoiser_b16_background.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="clip-dinoiser", classes="coco_object@clip-dinoiser")
