"""The embedded default on CamVid, 11 classes."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/camvid.py"]
