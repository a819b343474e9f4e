"""The embedded default on ADE20K."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/ade20k.py"]
