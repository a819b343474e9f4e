"""MaskCLIP by values alone on PASCAL VOC without background, as ClearCLIP measures it."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="maskclip-plain", classes="voc20@trident")
