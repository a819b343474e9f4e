"""SCLIP on COCO-Object, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="sclip", classes="coco_object@sclip", threshold=0.1)
model = dict(head=dict(logit_scale=50.0))
