"""ProxyCLIP on PASCAL Context without background, as published."""

_base_ = ["./proxyclip_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="proxyclip", classes="context59@trident")
