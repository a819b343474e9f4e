"""The embedded default on PASCAL VOC without background."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/voc20.py"]
