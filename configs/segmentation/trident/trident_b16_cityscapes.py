"""Trident on Cityscapes, as published: refined by SAM."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/cityscapes.py"]

protocol = dict(like="trident", classes="cityscapes@trident")
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.1)])
model = dict(
    extractor=dict(
        guidance=dict(type="densevl.extractors.TridentGuidance", cos_fac=3.0, refine_neg_cos=False, halves=True)
    ),
    geometry=dict(short_side=688),
    score_refiners=refine["sam"],
)
