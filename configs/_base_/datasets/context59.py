"""PASCAL Context val without background."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="context59",
    classes="context59",
    images="JPEGImages",
    labels="SegmentationClassContext",
    image_suffix=".jpg",
    label_suffix=".png",
    split="ImageSets/SegmentationContext/val.txt",
    reduce_zero_label=True,
    expected=5104,
)
