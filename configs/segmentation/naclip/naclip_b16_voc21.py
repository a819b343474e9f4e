"""NACLIP on PASCAL VOC with background, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="naclip", classes="voc21@sclip", threshold=0.1)
