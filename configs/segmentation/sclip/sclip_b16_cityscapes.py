"""SCLIP on Cityscapes, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="sclip", classes="cityscapes@trident")
model = dict(geometry=dict(short_side=560))
