"""ClearCLIP on COCO-Stuff, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="clearclip", classes="coco_stuff@trident")
