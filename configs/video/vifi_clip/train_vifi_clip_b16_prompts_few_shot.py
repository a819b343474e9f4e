"""Learned tokens on top of a fine-tuned ViFi-CLIP, on a few clips of each class, as published: 10 tokens, all 12 blocks.

    densevl train configs/video/vifi_clip/train_vifi_clip_b16_prompts_few_shot.py --data ucf101 --out runs/ucf101-4 \\
        --set data.clip_list=train1_few_shot_4.txt --set data.classes=ucf_101_labels.csv
"""

_base_ = ["train_vifi_clip_b16_prompts_base_to_novel.py"]
train = dict(rate=8e-3, recogniser=dict(prompts=dict(text_tokens=10, text_depth=12, vision_tokens=10, vision_depth=12)))
plan = dict(epochs=50)
