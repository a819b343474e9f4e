"""ViFi-CLIP on Kinetics-400 for recognising other actions, as published: 32 frames, 10 epochs, 256 clips an update.

    torchrun --nproc_per_node=8 -m densevl train configs/video/vifi_clip/train_vifi_clip_b16_zero_shot.py \\
        --data kinetics400 --out runs/k400-zero-shot
"""

_base_ = ["train_vifi_clip_b16_k400.py"]
train = dict(rate=8e-6)
plan = dict(epochs=10, accumulate=8)
data = dict(frames=dict(num_frames=32), batch_size=256)
