"""NACLIP on PASCAL Context without background, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="naclip", classes="context59@trident")
