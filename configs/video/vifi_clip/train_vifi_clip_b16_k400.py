"""ViFi-CLIP on the whole of Kinetics-400, as published: 16 frames, 30 epochs, 512 clips an update.

    torchrun --nproc_per_node=8 -m densevl train configs/video/vifi_clip/train_vifi_clip_b16_k400.py \\
        --data kinetics400 --out runs/k400

`kinetics400/train.txt` has a line `path label` a clip, `kinetics400/classes.csv` the names in the order of the labels.
On fewer GPUs `--set plan.accumulate=N` keeps the batch of 512.
"""

_base_ = ["../../_base_/training/vifi_clip.py"]
weights = ["clip-vit-b16-openai"]
train = dict(rate=2.2e-5)
plan = dict(epochs=30, accumulate=16)
data = dict(
    clip_list="train.txt",
    classes="classes.csv",
    frames=dict(type="video.sampling.FrameRule", num_frames=16),
    batch_size=512,
)
