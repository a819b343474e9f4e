"""Trident on COCO-Object, as published: refined by SAM."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/coco_object.py"]

protocol = dict(like="trident", classes="coco_object@trident", threshold=0.25)
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.25)])
model = dict(geometry=dict(short_side=448), score_refiners=refine["sam"])
