"""NACLIP on COCO-Stuff, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="naclip", classes="coco_stuff@trident")
model = dict(geometry=dict(short_side=448))
