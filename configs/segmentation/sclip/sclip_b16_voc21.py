"""SCLIP on PASCAL VOC with background, as published."""

_base_ = ["./sclip_b16.py", "../../_base_/datasets/voc21.py"]

protocol = dict(like="sclip", classes="voc21@sclip", threshold=0.1)
model = dict(
    head=dict(logit_scale=65.0),
    score_refiners=[dict(type="densevl.refiners.SmallClassRefiner", least_share=0.1)],
)
