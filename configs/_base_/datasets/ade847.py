"""Full ADE20K with 847 classes, validation, as MaskFormer's preparation lays it out: 16 bit ids, 65535 not scored."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="ade847",
    classes="ade847@trident",
    images="images_detectron2/validation",
    labels="annotations_detectron2/validation",
    image_suffix=".jpg",
    label_suffix=".tif",
    expected=2000,
)
