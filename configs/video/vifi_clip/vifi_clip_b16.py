"""ViFi-CLIP B/16, fine-tuned on Kinetics-400 with 16 frames; one centre crop, as fast as it gets."""

weights = ["vifi-clip-b16-k400", "clip-vit-b16-openai"]
model = dict(
    type="video.VideoClassifier",
    recogniser=dict(type="video.models.load_vifi_clip"),
    views=dict(type="video.views.ClipViews", size=224, num_frames=16),
)
