"""COCO-Object, val2017."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="coco_object",
    classes="coco_object",
    images="images/val2017",
    labels="annotations/val2017",
    image_suffix=".jpg",
    label_suffix="_instanceTrainIds.png",
    expected=5000,
)
