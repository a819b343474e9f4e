"""COCO-Stuff, val2017."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="coco_stuff",
    classes="coco_stuff",
    images="images/val2017",
    labels="annotations/val2017",
    image_suffix=".jpg",
    label_suffix="_labelTrainIds.png",
    expected=5000,
)
