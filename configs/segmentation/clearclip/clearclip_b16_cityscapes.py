"""ClearCLIP on Cityscapes, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="clearclip", classes="cityscapes@trident")
model = dict(geometry=dict(window=224, stride=224))
