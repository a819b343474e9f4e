"""Trident on PASCAL VOC with background, as published: refined by SAM."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="trident", classes="voc21@trident", threshold=0.2)
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.2)])
model = dict(geometry=dict(short_side=448), score_refiners=refine["sam"])
