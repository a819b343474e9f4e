"""MaskCLIP on ViT-L/14 at 336 px, OpenAI."""

_base_ = ["../../_base_/models/maskclip_dinoiser.py"]

weights = ["clip-vit-l14-336-openai"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-L-14-336", pretrained="openai"))
