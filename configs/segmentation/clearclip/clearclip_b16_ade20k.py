"""ClearCLIP on ADE20K, as published."""

_base_ = ["./clearclip_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="clearclip", classes="ade20k@trident")
