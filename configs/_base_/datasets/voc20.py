"""PASCAL VOC 2012 val without background."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="voc20",
    classes="voc20",
    images="JPEGImages",
    labels="SegmentationClass",
    image_suffix=".jpg",
    label_suffix=".png",
    split="ImageSets/Segmentation/val.txt",
    reduce_zero_label=True,
    expected=1449,
)
