"""CamVid, 11 classes."""

data = dict(
    type="densevl.data.SegmentationSet",
    name="camvid",
    classes="camvid",
    images="images/val",
    labels="labels/val",
    ignore=(11,),
)
