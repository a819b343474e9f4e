"""How CLIP-DINOiser was trained: two convolutions on CLIP ViT-B/16, taught by DINO and FOUND, on unlabelled pictures.

densevl train configs/segmentation/clip_dinoiser/train_clip_dinoiser_b16.py --data imagenet/train --out runs/dinoiser
"""

weights = ["clip-vit-b16-laion2b", "dino-vit-b16", "dino-vit-s8", "found-decoder"]
train = dict(
    type="densevl.tasks.train_dinoiser.DINOiserStep",
    extractor=dict(
        type="densevl.extractors.MaskCLIPExtractor",
        clip_model=dict(type="densevl.backbones.load_clip", model="ViT-B-16", pretrained="laion2b"),
        guide_block=-3,
    ),
    student=dict(type="densevl.refiners.DINOiserRefiner", guide_channels=768, affinity_channels=256, guide_block=-3),
    teachers=dict(
        type="densevl.tasks.dinoiser_teachers.DINOiserTeachers",
        dino=dict(type="densevl.backbones.load_dino", name="dino-vit-b16"),
        found=dict(type="densevl.refiners.load_found"),
        kind="v",
        threshold=0.2,
    ),
    rates=(5e-5, 1e-2),
)
plan = dict(
    type="densevl.engine.plan.TrainPlan",
    epochs=100,
    schedule=dict(type="densevl.engine.schedules.MultiStep", milestones=[5000], gamma=0.1),
    save_every=500,
    seed=0,
)
data = dict(
    type="densevl.data.crops.TrainingCrops",
    rule=dict(type="densevl.data.crops.CropRule", size=448, flip=0.5, brightness=0.5),
    subset=1000,
    batch_size=16,
    workers=4,
)
