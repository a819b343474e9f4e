"""SCLIP on ADE20K, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="sclip", classes="ade20k@trident")
