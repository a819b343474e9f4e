"""Trident on PASCAL VOC without background, as published: refined by SAM."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/voc20.py"]

protocol = dict(like="trident", classes="voc20@trident")
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.2)])
model = dict(
    extractor=dict(step=112, guidance=dict(type="densevl.extractors.TridentGuidance", cos_fac=0.0)),
    geometry=dict(short_side=336),
    score_refiners=refine["sam"],
)
