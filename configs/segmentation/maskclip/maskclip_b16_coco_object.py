"""MaskCLIP on COCO-Object, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="maskclip", classes="coco_object@clip-dinoiser")
model = dict(rivals=False)
