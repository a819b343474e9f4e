"""MaskCLIP on PASCAL VOC without background, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="maskclip", classes="voc20@clip-dinoiser")
