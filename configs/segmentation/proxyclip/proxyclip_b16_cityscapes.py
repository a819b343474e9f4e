"""ProxyCLIP on Cityscapes, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="proxyclip", classes="cityscapes@trident")
model = dict(geometry=dict(short_side=448, window=224, stride=112))
