"""ProxyCLIP on PASCAL VOC without background, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="proxyclip", classes="voc20@trident")
