"""Trident: CLIP's windows guided by DINO, spliced, and aggregated by SAM; the published numbers."""

parts = dict(
    dino=dict(type="densevl.backbones.load_dino", name="dino-vit-b16"),
    sam=dict(type="densevl.backbones.load_sam", name="sam-vit-b"),
    patch=16,  # CLIP's
)
model = dict(
    type="densevl.tasks.Segmenter",
    extractor=dict(
        type="densevl.extractors.TridentExtractor",
        clip_model="$clip_model",
        dino="$dino",
        sam="$sam",
        window=336,
        step=224,
    ),
    text_encoder="$clip_model",
    head=dict(type="densevl.heads.CosineHead", logit_scale=40.0, softmax=False, over_queries=True),
    geometry=dict(type="densevl.tasks.Geometry", short_side=448),
    rivals=False,  # a background is the words that its list gives it, as published
)
# what --refine sam adds; the published figures have it, with a threshold of each data set's own
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch")])
