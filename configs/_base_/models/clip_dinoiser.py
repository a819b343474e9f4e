"""CLIP-DINOiser: MaskCLIP's features pooled by a learned affinity of CLIP's own patches."""

_base_ = ["./maskclip_dinoiser.py"]

model = dict(
    extractor=dict(guide_block=-3),
    refiners=[dict(type="densevl.refiners.load_dinoiser", threshold=0.2, guide_block=-3)],
    rivals=False,
)
