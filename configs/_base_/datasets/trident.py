"""What Trident was published with on each data set: overrides of a trident config, and the two thresholds.

    settings = read_config("configs/_base_/datasets/trident.py").settings.voc21
    task = densevl.load("trident-b16", **settings.overrides)
    task.predict(picture, "voc21@trident", threshold=settings.threshold)

Where the background is many words, the softmax goes over all of them, as the thresholds were found.
`threshold` is the least probability of a label (0: none), `coarse_thresh` that of a region which SAM refines. The tables
are without refinement; with it, `model.score_refiners` is
`[dict(type="densevl.refiners.SAMMaskRefiner", sam="$sam", coarse_thresh=settings.coarse_thresh)]`.
"""

_guidance = dict(type="densevl.extractors.TridentGuidance")
_short = "model.geometry.short_side"
_over_queries = {"model.head.softmax": True, "model.head.over_queries": True}
settings = dict(
    voc21=dict(threshold=0.2, coarse_thresh=0.2, overrides={_short: 448, **_over_queries}),
    voc20=dict(
        threshold=0.0,
        coarse_thresh=0.2,
        overrides={_short: 336, "model.extractor.step": 112, "model.extractor.guidance": {**_guidance, "cos_fac": 0.0}},
    ),
    context60=dict(threshold=0.15, coarse_thresh=0.15, overrides={_short: 576}),
    context59=dict(threshold=0.0, coarse_thresh=0.15, overrides={_short: 576}),
    coco_object=dict(threshold=0.25, coarse_thresh=0.25, overrides={_short: 448, **_over_queries}),
    coco_stuff=dict(threshold=0.0, coarse_thresh=0.05, overrides={_short: 448}),
    cityscapes=dict(
        threshold=0.0,
        coarse_thresh=0.1,
        overrides={
            _short: 688,
            "model.extractor.guidance": {**_guidance, "cos_fac": 3.0, "refine_neg_cos": False, "halves": True},
        },
    ),
    ade20k=dict(
        threshold=0.0,
        coarse_thresh=0.05,
        overrides={_short: 576, "model.extractor.guidance": {**_guidance, "refine_neg_cos": False}},
    ),
    ade847=dict(threshold=0.0, coarse_thresh=0.2, overrides={_short: 448}),
    context459=dict(threshold=0.0, coarse_thresh=0.2, overrides={_short: 448}),
)
