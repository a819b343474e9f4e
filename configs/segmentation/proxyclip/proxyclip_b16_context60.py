"""ProxyCLIP on PASCAL Context with background, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="proxyclip", classes="context60@trident", threshold=0.15)
