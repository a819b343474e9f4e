"""ClearCLIP on PASCAL Context with background, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="clearclip", classes="context60@trident", threshold=0.15)
