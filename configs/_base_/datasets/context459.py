"""PASCAL Context val with 459 classes, as MaskFormer's preparation lays it out: 16 bit ids, 65535 not scored."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="context459",
    classes="context459@trident",
    images="JPEGImages",
    labels="annotations_detectron2/pc459_val",
    image_suffix=".jpg",
    label_suffix=".tif",
    split="ImageSets/SegmentationContext/val.txt",
    expected=5104,
)
