# How ViFi-CLIP is trained on any set: everything of CLIP B/16, mixup or cutmix, smooth labels, a cosine with its lag.
train = dict(
    type="video.train_step.FineTuneStep",
    recogniser=dict(
        type="video.models.ViFiCLIP",
        clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-16", pretrained="openai"),
        trained="both",
    ),
    training_set="$training_set",
    mixer=dict(type="video.mixing.ClipMixer"),
    smoothing=0.1,
)
plan = dict(
    type="densevl.engine.plan.TrainPlan",
    schedule=dict(type="densevl.engine.schedules.WarmupCosine", warmup_epochs=5, floor=0.01, from_start=True, lag=1),
    weight_decay=0.001,
    save_every=500,
    seed=0,
)
data = dict(
    type="video.dataset.TrainingClips",
    view=dict(type="video.transforms.TrainingView", size=224, normalization=None),
    on_error="skip",
    workers=4,
)
