"""MaskCLIP by values alone on ADE20K, as ClearCLIP measures it."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="maskclip-plain", classes="ade20k@trident")
