"""Cityscapes val."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="cityscapes",
    classes="cityscapes",
    images="leftImg8bit/val",
    labels="gtFine/val",
    image_suffix="_leftImg8bit.png",
    label_suffix="_gtFine_labelTrainIds.png",
    expected=500,
)
