"""SCLIP on PASCAL Context with background, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="sclip", classes="context60@trident", threshold=0.1)
model = dict(head=dict(logit_scale=50.0))
