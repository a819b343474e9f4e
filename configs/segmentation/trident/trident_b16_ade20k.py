"""Trident on ADE20K, as published: refined by SAM."""

_base_ = ["./trident_b16.py", "../../_base_/datasets/ade20k.py"]

protocol = dict(like="trident", classes="ade20k@trident")
refine = dict(sam=[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", stride="$patch", coarse_thresh=0.05)])
model = dict(
    extractor=dict(guidance=dict(type="densevl.extractors.TridentGuidance", refine_neg_cos=False)),
    geometry=dict(short_side=576),
    score_refiners=refine["sam"],
)
