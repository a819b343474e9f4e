"""Trident's refinement: coarse scores to prompts of SAM, its answers, and the labels merged from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from densevl.core.structures import ScoreMap, Segmentation
from densevl.ops.probability import ClassProbabilities
from densevl.ops.resize import label_picture
from densevl.refiners import SAMMaskRefiner
from densevl.refiners.sam_masks import ClassMasks, SeenPicture, merge_masks
from densevl.refiners.sam_prompts import CoarseClass, pick_nearest
from densevl.vocab import parse_classes
from tests.golden_checks import checks
from tests.golden_checks.trident import golden_sam
from tests.golden_reader import GoldenFile, assert_close, thin, thinning

ATOL = 1e-5
DECODER_ATOL = 1e-4
TIE = 1e-4
BORDER = 2e-6  # a logit as small as that may have either sign: its pixel lies on the edge of a mask
MOST_CHOICES = 16  # edge pixels of a class, 65,536 ways to fall
SUM_RTOL = 5e-6  # of float32 sums over a whole picture


@checks("segmentation/trident_refine")
@torch.no_grad()
def check_trident_refine(file: GoldenFile) -> None:
    weights = file.sibling("trident_weights")
    assert {**file.config, **weights.config} == file.config
    stem, _, key = file.config["image"].partition(".npz:")
    picture = file.sibling(stem)[key]
    sam, score_map = golden_sam(weights), coarse_scores(file)
    labels, confidence = label_picture(score_map, picture.shape[:2])
    coarse = Segmentation(labels, confidence, np.zeros((1, 1), np.float32), tuple(file.config["names"]))
    probability = whole(score_map)
    assert_close(thin(probability, file["pre_prob_sub"]), file["pre_prob_sub"], atol=ATOL)
    _check_labels(labels, file["pre_pred"][0], probability, edges=torch.zeros(1, *labels.shape, dtype=torch.bool))
    for case in sorted({key.split("/")[0] for key in file.keys("") if key.endswith("/coarse_thresh")}):
        refiner = SAMMaskRefiner(
            sam,
            iou_thresh=float(file[f"{case}/sam_iou_thresh"]),
            coarse_thresh=float(file[f"{case}/coarse_thresh"]),
            minimal_area=file.config["minimal_area"],
            mask_scale=file.config["sam_mask_coff"],
            stride=file.config["clip"]["vision_cfg"]["patch_size"],
        )
        _check_case(file, case, refiner, coarse=coarse, score_map=score_map, picture=picture)


def coarse_scores(file: GoldenFile) -> ScoreMap:
    """Of all queries, as Trident's head gives them."""
    logits = file.config["logit_scale"] * file.tensor("coarse_logits")  # [1, Q, H, W]
    size = (logits.shape[2], logits.shape[3])
    class_index = torch.tensor(parse_classes(file.config["names"]).class_index)
    return ScoreMap(logits, canvas=size, extent=size, logits=True, class_index=class_index)


def whole(score_map: ScoreMap) -> torch.Tensor:
    """Probabilities of all classes [K, H, W]."""
    found = ClassProbabilities(score_map, score_map.canvas)
    return torch.stack([found[k] for k in range(len(found))])


def _check_case(
    file: GoldenFile,
    case: str,
    refiner: SAMMaskRefiner,
    *,
    coarse: Segmentation,
    score_map: ScoreMap,
    picture: np.ndarray,
) -> None:
    size = (picture.shape[0], picture.shape[1])
    probabilities = ClassProbabilities(score_map, size)
    classes = list(refiner.coarse_classes(coarse.label_map, probabilities))
    calls = {key.split("/")[1] for key in file.keys(f"{case}/call")}
    assert calls in (set(), {f"call{index}" for index in range(len(classes))})
    seen = refiner.see(picture)
    for index in range(len(calls)):
        _check_call(file, f"{case}/call{index}", refiner, coarse=classes[index], seen=seen)
    found = list(refiner.class_masks(coarse.label_map, probabilities, picture))
    refined = merge_masks(coarse, found)
    probability = whole(score_map)
    masks, edges = stack_masks(found, probability)
    scores = with_failed(found, masks, probability)
    settled = torch.where(masks.amax(dim=0) > 0, masks, probability)
    _check_labels(refined.label_map, file[f"{case}/refined_pred"][0], settled, edges=edges)
    expected = file[f"{case}/refined_logits_sub"]
    step = thinning(scores, expected)
    certain = ~edges[:, ::step, ::step].numpy()
    assert_close(scores[:, ::step, ::step].numpy() * certain, expected * certain, atol=DECODER_ATOL)
    sums, flipped = file[f"{case}/refined_logits_sum"], torch.where(masks > 0, 0.0, 0.5 * probability)
    steps = with_failed(found, torch.where(edges, flipped, masks), probability) - scores
    assert len(sums) == len(scores)
    for own, step, total in zip(scores, steps, sums.tolist(), strict=True):
        gap = total - float(own.sum())
        assert _least_gap(gap, step[step != 0]) <= SUM_RTOL * total, f"{case}: sum {float(own.sum())}, expected {total}"
    own = scores.gather(0, torch.from_numpy(refined.labels)[None])[0]
    assert_close(torch.where(own > 0, own, torch.from_numpy(coarse.confidence)), refined.confidence, atol=ATOL)


def stack_masks(found: Sequence[ClassMasks], probability: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores within the masks, and where their edges are: two [K, H, W]."""
    masks, edges = torch.zeros_like(probability), torch.zeros_like(probability, dtype=torch.bool)
    for item in (item for item in found if item.logits is not None):
        masks[item.class_id], edges[item.class_id] = item.scores, item.logits.abs() < BORDER
    return masks, edges


def with_failed(found: Sequence[ClassMasks], masks: torch.Tensor, probability: torch.Tensor) -> torch.Tensor:
    """Published: regions that did not survive count with their coarse probability; all do where none survived."""
    if all(item.logits is None for item in found):
        return probability
    failed = pick_nearest(np.any([item.failed for item in found], axis=0), tuple(probability.shape[1:]))
    return torch.where(torch.from_numpy(failed), torch.maximum(masks, probability), masks)


def _least_gap(gap: float, steps: torch.Tensor) -> float:
    """What is left of a gap when edge pixels fall on their best sides; of many, when they do so in part."""
    if len(steps) > MOST_CHOICES:
        return max(0.0, abs(gap) - float(steps.abs().sum()))
    sums = np.zeros(1)
    for step in steps.tolist():
        sums = np.concatenate([sums, sums + step])  # of every choice
    return float(np.abs(sums - gap).min())


def _check_call(
    file: GoldenFile, call: str, refiner: SAMMaskRefiner, *, coarse: CoarseClass, seen: SeenPicture
) -> None:
    prompts = refiner.prompts(coarse)
    assert_close(prompts.points, file[f"{call}/points"], atol=DECODER_ATOL)
    assert_close(prompts.boxes, file[f"{call}/boxes"], atol=DECODER_ATOL)
    expected = file[f"{call}/mask_input_sub8"]
    assert_close(thin(prompts.masks, expected), expected, atol=ATOL * refiner.mask_scale)
    logits, iou = (torch.cat(part) for part in zip(*refiner.decode(prompts, seen), strict=True))
    assert_close(iou[:, None], file[f"{call}/iou"], atol=DECODER_ATOL)
    expected = file[f"{call}/lowres_sub8"]
    assert_close(thin(logits, expected), expected, atol=DECODER_ATOL)
    upscaled = refiner.upscale(logits, seen, seen.size)
    least, most = ((upscaled > level).sum(dim=(1, 2, 3)).numpy() for level in (BORDER, -BORDER))
    area = file[f"{call}/mask_area"]
    assert area.shape == least.shape and (least <= area).all() and (area <= most).all()


def _check_labels(found: np.ndarray, expected: np.ndarray, scores: torch.Tensor, edges: torch.Tensor) -> None:
    """Equal wherever the two largest scores [K, H, W] are not nearly the same, and no mask has its edge."""
    assert found.shape == expected.shape
    best = scores.topk(2, dim=0).values
    sure = ((best[0] - best[1] >= TIE) & ~edges.any(dim=0)).numpy()
    np.testing.assert_array_equal(found[sure], expected[sure])
