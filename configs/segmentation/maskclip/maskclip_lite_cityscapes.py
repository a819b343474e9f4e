"""The embedded default on Cityscapes."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/cityscapes.py"]
