"""The embedded default: EfficientNet-Lite0 and MiniLM, both carried by packages. Nothing is downloaded."""

weights = ["efficientnet-lite0", "all-minilm-l6-v2"]
limits = "lite is a small embedded model: everyday objects come out roughly, borders are soft, thin things, pavement and trees are weak"
parts = dict(lite=dict(type="densevl.backbones.load_lite"))
model = dict(
    type="densevl.tasks.Segmenter",
    extractor=dict(type="densevl.extractors.LiteExtractor", lite_model="$lite"),
    text_encoder="$lite",
    refiners=[dict(type="densevl.refiners.AffinityPoolRefiner", threshold=0.0, power=4)],
    head=dict(type="densevl.heads.CosineHead", logit_scale=70.0, normalise=False),
    geometry=dict(type="densevl.tasks.Geometry", short_side=704),
)
