"""MaskCLIP by values alone on COCO-Object, as ClearCLIP measures it but for an unknown threshold."""

_base_ = ["./maskclip_plain_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="maskclip-plain", classes="coco_object")
model = dict(rivals=False)
