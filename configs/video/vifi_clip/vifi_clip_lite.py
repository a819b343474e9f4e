"""ViFi-CLIP's form over the embedded towers: every frame by EfficientNet-Lite0, their mean, MiniLM's words. No download."""

weights = ["efficientnet-lite0", "all-minilm-l6-v2"]
limits = "vifi-clip-lite is a small embedded model: it knows actions by the things in the picture, and sees no order of frames"
parts = dict(lite=dict(type="densevl.backbones.load_lite"))
model = dict(
    type="video.VideoClassifier",
    recogniser=dict(type="video.models.LiteFrameMean", lite_model="$lite"),
    views=dict(type="video.views.ClipViews", size=224, num_frames=8),
)
