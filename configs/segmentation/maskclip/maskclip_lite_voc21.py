"""The embedded default on PASCAL VOC with background."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/voc21.py"]
