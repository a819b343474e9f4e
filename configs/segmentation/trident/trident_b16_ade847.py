"""Trident on ADE20K with 847 classes; settings of the publication, which gives no figure."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/ade847.py"]

protocol = dict(like="trident", classes="ade847@trident")
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.2)])
model = dict(geometry=dict(short_side=448), score_refiners=refine["sam"])
