"""ProxyCLIP, ViT-B/16 OpenAI with DINO ViT-B/8."""

_base_ = ["../../_base_/models/self_attention.py"]

weights = ["clip-vit-b16-openai", "dino-vit-b8"]
parts = dict(dino=dict(type="densevl.backbones.load_dino", name="dino-vit-b8"))
model = dict(
    extractor=dict(type="densevl.extractors.ProxyCLIPExtractor", dino="$dino"),
    geometry=dict(window=336),
)
