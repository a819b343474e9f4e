"""MaskCLIP by values alone on PASCAL Context with background, as ClearCLIP measures it but for an unknown threshold."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="maskclip-plain", classes="context60@trident")
model = dict(rivals=False)
