"""A config of mmengine: the embedded default on ADE20K val, run and scored by mmsegmentation.

python -c "from mmengine.runner import Runner; from mmengine.config import Config as C; Runner.from_cfg(C.fromfile('configs/mmseg/ade20k_lite.py')).test()"
"""

custom_imports = dict(imports=["densevl.interop.mmseg"])
default_scope = "mmseg"
work_dir = "work_dirs/ade20k_lite"
data_root = "data/ade/ADEChallengeData2016"

model = dict(type="DensevlSegmentor", model="maskclip-lite", classes="ade20k", threshold=0.0)
model_wrapper_cfg = dict(type="MMSeparateDistributedDataParallel")  # several processes: the model has nothing to train

# no Resize: the model sees the picture of the file and resizes by its own rule; pillow decodes as densevl does
test_pipeline = [
    dict(type="LoadImageFromFile", imdecode_backend="pillow"),
    dict(type="LoadAnnotations"),
    dict(type="PackSegInputs"),
]
test_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type="DefaultSampler", shuffle=False),
    dataset=dict(
        type="ADE20KDataset",
        data_root=data_root,
        data_prefix=dict(img_path="images/validation", seg_map_path="annotations/validation"),
        pipeline=test_pipeline,
    ),
)
test_cfg = dict(type="TestLoop")
test_evaluator = dict(type="IoUMetric", iou_metrics=["mIoU"])
