"""SCLIP on PASCAL Context without background, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="sclip", classes="context59@trident")
