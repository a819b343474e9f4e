"""NACLIP on PASCAL Context with background, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="naclip", classes="context60@trident", threshold=0.1)
