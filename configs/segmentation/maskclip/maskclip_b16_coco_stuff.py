"""MaskCLIP on COCO-Stuff, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="maskclip")
