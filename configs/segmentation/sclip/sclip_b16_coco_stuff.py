"""SCLIP on COCO-Stuff, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="sclip", classes="coco_stuff@trident")
model = dict(geometry=dict(short_side=448))
