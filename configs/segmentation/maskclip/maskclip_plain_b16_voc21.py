"""MaskCLIP by values alone on PASCAL VOC with background, as ClearCLIP measures it but for an unknown threshold."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="maskclip-plain", classes="voc21@clearclip")
model = dict(rivals=False)
