"""ProxyCLIP on COCO-Object, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="proxyclip", classes="coco_object@trident", threshold=0.25)
