"""MaskCLIP by values alone on COCO-Stuff, as ClearCLIP measures it."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="maskclip-plain", classes="coco_stuff@trident")
