"""The embedded default on COCO-Stuff."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/coco_stuff.py"]
