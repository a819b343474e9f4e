"""The embedded default on PASCAL Context without background."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/context59.py"]
