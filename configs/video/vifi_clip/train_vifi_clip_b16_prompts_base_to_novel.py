"""Learned tokens on top of a fine-tuned ViFi-CLIP ("bridge and prompt"), on 16 clips of each base class, as published.

    densevl train configs/video/vifi_clip/train_vifi_clip_b16_prompts_base_to_novel.py --data hmdb51 --out runs/hmdb51 \\
        --set data.clip_list=train1.txt --set data.classes=hmdb51_base_labels.csv
"""

_base_ = ["train_vifi_clip_b16_base_to_novel.py"]
weights = ["vifi-clip-b16-k400-zero-shot", "clip-vit-b16-openai"]
train = dict(
    rate=4e-2,
    recogniser=dict(
        _delete_=True,
        type="video.models.load_vifi_clip",
        weights="vifi-clip-b16-k400-zero-shot",
        prompts=dict(type="video.models.PromptSizes", text_tokens=16, text_depth=9, vision_tokens=16, vision_depth=9),
    ),
)
