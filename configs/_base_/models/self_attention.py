"""SCLIP's family: the last block of CLIP ViT-B/16 (OpenAI) attends otherwise; logits of windows are averaged."""

weights = ["clip-vit-b16-openai"]
parts = dict(clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-16", pretrained="openai"))
model = dict(
    type="densevl.tasks.Segmenter",
    extractor=dict(type="densevl.extractors.SelfAttentionExtractor", clip_model="$clip_model"),
    text_encoder="$clip_model",
    head=dict(type="densevl.heads.CosineHead", logit_scale=40.0, softmax=False, over_queries=True),
    geometry=dict(type="densevl.tasks.Geometry", short_side=336, window=224, stride=112),
    rivals=False,  # a background is the words that its list gives it, as published
)
