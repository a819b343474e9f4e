"""ClearCLIP on PASCAL Context without background, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="clearclip", classes="context59@trident")
