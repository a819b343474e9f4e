"""ViFi-CLIP on 16 clips of each base class, as published: 32 frames, 11 epochs, 64 clips an update.

    densevl train configs/video/vifi_clip/train_vifi_clip_b16_base_to_novel.py --data hmdb51 --out runs/hmdb51-base \\
        --set data.clip_list=train1.txt --set data.classes=hmdb51_base_labels.csv
"""

_base_ = ["train_vifi_clip_b16_k400.py"]
train = dict(rate=2e-6)
plan = dict(epochs=11, accumulate=4)
data = dict(frames=dict(num_frames=32), batch_size=64)
