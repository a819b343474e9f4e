"""MaskCLIP as CLIP-DINOiser builds on it: residual and MLP of the last block are kept."""

model = dict(
    type="densevl.tasks.Segmenter",
    extractor=dict(
        type="densevl.extractors.MaskCLIPExtractor",
        clip_model="$clip_model",
        keep_residual=True,
        keep_mlp=True,
    ),
    text_encoder="$clip_model",
    head=dict(type="densevl.heads.CosineHead", logit_scale=100.0),
    geometry=dict(type="densevl.tasks.Geometry", short_side=448, window=448, stride=224),
)
