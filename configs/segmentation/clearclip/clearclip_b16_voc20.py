"""ClearCLIP on PASCAL VOC without background, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="clearclip", classes="voc20@trident")
