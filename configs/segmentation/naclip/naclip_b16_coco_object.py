"""NACLIP on COCO-Object, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="naclip", classes="coco_object@sclip", threshold=0.1)
