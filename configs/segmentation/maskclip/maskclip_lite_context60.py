"""The embedded default on PASCAL Context with background."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/context60.py"]
