"""NACLIP on ADE20K, as published."""

_base_ = ["./naclip_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="naclip", classes="ade20k@trident")
