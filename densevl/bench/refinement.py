"""SAM's refinement by few regions and one class at a time, against all regions of a class in one call."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from densevl.bench.scenario import Scenario

if TYPE_CHECKING:
    from densevl.core.structures import Segmentation

_CLASSES, _GRID, _PICTURE = 21, (32, 48), (683, 1024)
_MOST_FLIPS = 1e-3  # share of pixels on the edge of a mask, where a logit may have either sign
_ENCODER = {"dim": 16, "depth": 1, "heads": 2, "global_idx": (0,), "window": 14, "img": 1024, "patch": 16, "out": 256}


def scenarios() -> list[Scenario]:
    """A picture of 0.7 megapixels and 21 classes; SAM's decoder has its published size."""
    return [Scenario("sam-refine", prepare, refine, plain_refine, compare, quick=False)]


def prepare() -> dict[str, Any]:
    """Coarse labels of a scene of regions, and the embedding of a picture that SAM has seen already."""
    import torch

    from densevl.core.structures import ScoreMap, Segmentation
    from densevl.ops.resize import label_picture
    from densevl.refiners import SAMMaskRefiner
    from densevl.refiners.sam_masks import SeenPicture

    generator = torch.Generator().manual_seed(0)
    coarse = torch.randn(1, _CLASSES, 8, 12, generator=generator) * 4
    scores = torch.nn.functional.interpolate(coarse, size=_GRID, mode="bicubic").softmax(dim=1)
    score_map = ScoreMap(scores, canvas=_PICTURE, extent=_PICTURE)
    labels, confidence = label_picture(score_map, _PICTURE)
    names = tuple(f"class {k}" for k in range(_CLASSES))
    return {
        "refiner": SAMMaskRefiner(_random_decoder(generator), iou_thresh=-99.0),
        "seen": SeenPicture(torch.randn(1, 256, 64, 64, generator=generator), (683, 1024), (688, 1024)),
        "score_map": score_map,
        "coarse": Segmentation(labels, confidence, np.zeros((1, 1), np.float32), names),
    }


def _random_decoder(generator: Any) -> Any:
    """SAM with a decoder of the published size, which is all that is used."""
    import torch

    from densevl.backbones.sam import SAMBackbone
    from densevl.backbones.sam_models import make_sam

    sam = make_sam(_ENCODER, {})
    for tensor in sam.state_dict().values():
        width = tensor[0].numel() if tensor.ndim > 1 else 1
        tensor.copy_(torch.randn(tensor.shape, generator=generator) * width**-0.5)
    return SAMBackbone(sam)


def refine(inputs: dict[str, Any]) -> Segmentation:
    """Ours."""
    import torch

    from densevl.ops.probability import ClassProbabilities
    from densevl.refiners.sam_masks import merge_masks

    refiner, coarse = inputs["refiner"], inputs["coarse"]
    with torch.inference_mode():
        probabilities = ClassProbabilities(inputs["score_map"], _PICTURE)
        found = (
            refiner.refine_class(item, probabilities[item.class_id], inputs["seen"])
            for item in refiner.coarse_classes(coarse.label_map, probabilities)
        )
        return merge_masks(coarse, found)


def plain_refine(inputs: dict[str, Any]) -> Segmentation:
    """All classes at every pixel, all regions of a class in one call, all their masks at the picture's size."""
    from dataclasses import replace

    import torch

    from densevl.ops.probability import ClassProbabilities
    from densevl.ops.resize import interpolate_scores

    refiner, coarse, seen = inputs["refiner"], inputs["coarse"], inputs["seen"]
    with torch.inference_mode():
        whole = interpolate_scores(inputs["score_map"], _PICTURE)  # [K, H, W]
        scores = torch.zeros_like(whole)
        for item in refiner.coarse_classes(coarse.label_map, ClassProbabilities(inputs["score_map"], _PICTURE)):
            prompts = refiner.prompts(item)
            labels = torch.ones(prompts.points.shape[:2], dtype=torch.int)
            logits, _ = refiner.sam.decode(
                seen.embedding, points=(prompts.points, labels), boxes=prompts.boxes, masks=prompts.masks
            )
            masks = refiner.upscale(logits, seen, _PICTURE)[:, 0]  # [n, H, W]
            inside = (masks > 0).any(dim=0)
            scores[item.class_id] = (masks.sigmoid() * whole[item.class_id]).amax(dim=0) * inside
        best, label_map = scores.max(dim=0)
    refined = (best > 0).numpy()
    return replace(
        coarse,
        label_map=np.where(refined, label_map.numpy(), coarse.label_map).astype(coarse.label_map.dtype),
        confidence=np.where(refined, best.numpy(), coarse.confidence),
    )


def compare(inputs: dict[str, Any], ours: Segmentation, reference: Segmentation) -> tuple[bool, float]:
    """The same labels, but for pixels on the edges of masks; the difference is that of the confidence elsewhere."""
    same = ours.label_map == reference.label_map
    differences = np.abs(ours.confidence - reference.confidence)
    flipped = float((~same | (differences > 1e-4)).mean())
    return flipped <= _MOST_FLIPS, float(np.where(differences > 1e-4, 0.0, differences).max())
