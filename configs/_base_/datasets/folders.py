"""Any two folders of pictures and label maps with the same names; the classes are named by --set data.classes=..."""

data = dict(type="densevl.data.SegmentationSet", name="folders", classes=None, images="images", labels="labels")
