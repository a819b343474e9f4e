"""PASCAL Context val with background."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="context60",
    classes="context60",
    images="JPEGImages",
    labels="SegmentationClassContext",
    image_suffix=".jpg",
    label_suffix=".png",
    split="ImageSets/SegmentationContext/val.txt",
    expected=5104,
)
