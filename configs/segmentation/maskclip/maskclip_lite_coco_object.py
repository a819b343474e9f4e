"""The embedded default on COCO-Object."""

_base_ = ["./maskclip_lite.py", "../../_base_/datasets/coco_object.py"]
