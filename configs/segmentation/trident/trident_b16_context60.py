"""Trident on PASCAL Context with background, as published: refined by SAM."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/context60.py"]

protocol = dict(like="trident", classes="context60@trident", threshold=0.15)
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.15)])
model = dict(geometry=dict(short_side=576), score_refiners=refine["sam"])
