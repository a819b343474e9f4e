"""ProxyCLIP on ADE20K, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="proxyclip", classes="ade20k@trident")
model = dict(geometry=dict(short_side=448))
