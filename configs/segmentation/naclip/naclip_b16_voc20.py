"""NACLIP on PASCAL VOC without background, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="naclip", classes="voc20@sclip")
