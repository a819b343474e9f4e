"""PASCAL VOC 2012 val with background."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="voc21",
    classes="voc21",
    images="JPEGImages",
    labels="SegmentationClass",
    image_suffix=".jpg",
    label_suffix=".png",
    split="ImageSets/Segmentation/val.txt",
    expected=1449,
)
