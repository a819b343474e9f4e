"""MaskCLIP on PASCAL VOC with background, as CLIP-DINOiser measures it."""

_base_ = ["./maskclip_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="maskclip", classes="voc21@clip-dinoiser")
model = dict(rivals=False)
