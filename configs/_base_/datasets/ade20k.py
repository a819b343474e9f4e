"""ADE20K val, 150 classes."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="ade20k",
    classes="ade20k",
    images="images/validation",
    labels="annotations/validation",
    image_suffix=".jpg",
    label_suffix=".png",
    reduce_zero_label=True,
    expected=2000,
)
