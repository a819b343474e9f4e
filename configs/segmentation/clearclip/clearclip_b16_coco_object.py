"""ClearCLIP on COCO-Object, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="clearclip", classes="coco_object", threshold=0.4)
