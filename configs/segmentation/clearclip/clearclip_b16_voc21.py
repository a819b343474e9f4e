"""ClearCLIP on PASCAL VOC with background, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="clearclip", classes="voc21@clearclip", threshold=0.5)
