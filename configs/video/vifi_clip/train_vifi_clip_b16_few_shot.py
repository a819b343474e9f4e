"""ViFi-CLIP on 2, 4, 8 or 16 clips of each class, as published: 32 frames, 50 epochs, 64 clips an update.

    densevl train configs/video/vifi_clip/train_vifi_clip_b16_few_shot.py --data ucf101 --out runs/ucf101-4 \\
        --set data.clip_list=train1_few_shot_4.txt --set data.classes=ucf_101_labels.csv
"""

_base_ = ["train_vifi_clip_b16_base_to_novel.py"]
plan = dict(epochs=50)
