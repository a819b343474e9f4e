"""ProxyCLIP on COCO-Stuff, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/coco_stuff.py"]

protocol = dict(like="proxyclip", classes="coco_stuff@trident")
