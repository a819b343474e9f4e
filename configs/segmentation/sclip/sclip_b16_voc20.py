"""SCLIP on PASCAL VOC without background, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="sclip", classes="voc20@sclip")
