"""MaskCLIP by values alone on Cityscapes, as ClearCLIP measures it."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="maskclip-plain", classes="cityscapes@trident")
model = dict(geometry=dict(window=224, stride=224))
