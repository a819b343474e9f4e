"""vifi-clip-lite on a small list of clips, in minutes on a laptop: the last stages of the image tower are trained.

python tools/make_motion_set.py motion
densevl train configs/video/vifi_clip/train_vifi_clip_lite.py --data motion/appearance --out runs/appearance
"""

weights = ["efficientnet-lite0", "all-minilm-l6-v2"]
parts = dict(lite=dict(type="densevl.backbones.load_lite"))
train = dict(
    type="video.train_step.FineTuneStep",
    recogniser=dict(type="video.models.LiteFrameMean", lite_model="$lite", trained_stages=2),
    training_set="$training_set",
    rate=1e-3,
    smoothing=0.1,
)
plan = dict(
    type="densevl.engine.plan.TrainPlan",
    epochs=3,
    schedule=dict(type="densevl.engine.schedules.WarmupCosine", warmup_epochs=0.5, floor=0.01),
    save_every=50,
    seed=0,
)
data = dict(
    type="video.dataset.TrainingClips",
    clip_list="train.txt",
    classes="classes.csv",
    view=dict(type="video.transforms.TrainingView", size=64, normalization=None, jitter=0.0, gray=0.0),
    frames=dict(type="video.sampling.FrameRule", num_frames=8),
    batch_size=16,
    workers=0,
)
