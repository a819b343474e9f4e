"""ProxyCLIP on PASCAL VOC with background, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="proxyclip", classes="voc21@trident", threshold=0.2)
