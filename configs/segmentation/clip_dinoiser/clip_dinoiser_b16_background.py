"""CLIP-DINOiser with the found rule, as published for VOC21 and COCO-Object: the list holds a class `background`."""

_base_ = ["./clip_dinoiser_b16.py"]

model = dict(score_refiners=[dict(type="densevl.refiners.FoundRule", delta=0.99)])
