"""NACLIP on Cityscapes, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="naclip", classes="cityscapes@trident")
model = dict(geometry=dict(short_side=560))
