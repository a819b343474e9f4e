"""MaskCLIP on ViT-B/16, OpenAI: values alone, as the baseline of the self-attention family."""

_base_ = ["../../_base_/models/maskclip_plain.py"]

weights = ["clip-vit-b16-openai"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-16", pretrained="openai"))
