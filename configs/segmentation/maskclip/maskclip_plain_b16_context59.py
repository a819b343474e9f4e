"""MaskCLIP by values alone on PASCAL Context without background, as ClearCLIP measures it."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/context59.py"]

protocol = dict(like="maskclip-plain", classes="context59@trident")
