from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from densevl.backbones import SAMBackbone
from densevl.core.errors import ShapeError, UsageError
from densevl.core.stages import LabelRefiner, PictureRefiner
from densevl.core.structures import ScoreMap, Segmentation
from densevl.extractors import TridentExtractor
from densevl.ops.probability import ClassProbabilities
from densevl.ops.resize import label_picture
from densevl.refiners import SAMMaskRefiner, sam_masks
from densevl.refiners.sam_masks import ClassMasks, merge_masks
from tests.tiny import tiny_clip, tiny_dino, tiny_sam

ALL, NONE = -99.0, 99.0  # predicted IoU that every mask has, and that none has


def make_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def make_scores(size: tuple[int, int], *, classes: int = 4, grid: tuple[int, int] = (5, 6)) -> ScoreMap:
    generator = torch.Generator().manual_seed(1)
    return ScoreMap((torch.randn(1, classes, *grid, generator=generator) * 3).softmax(dim=1), canvas=size, extent=size)


def label(score_map: ScoreMap, size: tuple[int, int]) -> Segmentation:
    labels, confidence = label_picture(score_map, size)
    names = tuple(f"class {k}" for k in range(score_map.scores.shape[1]))
    return Segmentation(labels, confidence, np.full((2, 2), 0.5, np.float32), names)


def make_refiner(sam: SAMBackbone | None = None, **settings: object) -> SAMMaskRefiner:
    return SAMMaskRefiner(sam or tiny_sam(seed=1), **{"iou_thresh": ALL, "minimal_area": 10, **settings})


def refine(size: tuple[int, int], refiner: SAMMaskRefiner, score_map: ScoreMap | None = None) -> Segmentation:
    score_map = score_map or make_scores(size)
    return refiner.relabel(label(score_map, size), score_map=score_map, picture=make_picture(*size))


def test_it_is_a_refiner_of_labels_and_of_nothing_else() -> None:
    assert isinstance(make_refiner(), LabelRefiner) and not isinstance(make_refiner(), PictureRefiner)


def test_the_published_numbers_are_the_default() -> None:
    refiner = SAMMaskRefiner(tiny_sam())
    assert (refiner.iou_thresh, refiner.coarse_thresh, refiner.minimal_area) == (0.8, 0.2, 225)
    assert (refiner.mask_scale, refiner.mask_prompt) == (0.005, "published")


def test_where_no_region_survives_the_result_stays_as_it_is() -> None:
    size = (60, 90)
    coarse, refined = label(make_scores(size), size), refine(size, make_refiner(iou_thresh=NONE))
    np.testing.assert_array_equal(refined.label_map, coarse.label_map)
    np.testing.assert_array_equal(refined.confidence, coarse.confidence)


def test_a_pixel_takes_the_class_of_the_largest_score_among_the_masks_it_lies_in() -> None:
    size = (61, 90)
    score_map, refiner = make_scores(size), make_refiner()
    coarse = label(score_map, size)
    found = list(refiner.class_masks(coarse.label_map, ClassProbabilities(score_map, size), make_picture(*size)))
    scores = torch.zeros(4, *size)
    for item in found:
        assert not item.failed.any()
        scores[item.class_id] = item.scores
    inside = (scores.amax(dim=0) > 0).numpy()
    refined = refine(size, refiner)
    assert 0.05 < inside.mean() < 1 and (refined.label_map != coarse.label_map).any()
    np.testing.assert_array_equal(refined.label_map, np.where(inside, scores.argmax(dim=0), coarse.label_map))
    np.testing.assert_array_equal(refined.confidence, np.where(inside, scores.amax(dim=0), coarse.confidence))
    assert refined.doubt_map is coarse.doubt_map or (refined.doubt_map == coarse.doubt_map).all()


def test_the_lowest_class_wins_a_tie_and_failed_regions_keep_the_coarse_probability() -> None:
    ones, score_map = torch.ones(2, 2), make_scores((2, 2), classes=3)
    coarse = replace(label(score_map, (2, 2)), label_map=np.full((2, 2), 2, np.uint8))
    failed = np.ones((1, 1), dtype=bool)
    sure = ClassMasks(0, ones * 0.8, ones, failed & False)
    refined = merge_masks(coarse, [sure, replace(sure, class_id=1), ClassMasks(2, ones * 0.9, None, failed & False)])
    assert (refined.label_map == 0).all()
    np.testing.assert_allclose(refined.confidence, 0.8 / (1 + np.exp(-1.0)), rtol=1e-6)
    refined = merge_masks(coarse, [sure, ClassMasks(1, ones * 0.9, None, failed)])
    assert (refined.label_map == 0).all()
    np.testing.assert_allclose(refined.confidence, 0.8, rtol=1e-6)


def test_the_labels_do_not_hang_on_how_many_regions_are_decoded_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    results = []
    for count in (1, 100):
        monkeypatch.setattr(sam_masks, "_REGIONS_AT_ONCE", count)
        results.append(refine((60, 90), make_refiner()))
    np.testing.assert_array_equal(results[0].label_map, results[1].label_map)
    np.testing.assert_allclose(results[0].confidence, results[1].confidence, atol=1e-5)


def test_the_two_forms_of_the_mask_prompt_differ() -> None:
    size = (60, 90)
    score_map = make_scores(size)
    outputs = []
    for form, shape in (("published", (1, 32, 32)), ("corrected", (1, 1, 32, 32))):
        refiner = make_refiner(mask_prompt=form)
        first = next(refiner.coarse_classes(label(score_map, size).label_map, ClassProbabilities(score_map, size)))
        prompts = refiner.prompts(first)
        assert tuple(prompts.masks.shape) == shape
        outputs.append(next(refiner.decode(prompts, refiner.see(make_picture(*size))))[0])
    assert float((outputs[0] - outputs[1]).abs().max()) > 1e-3


def test_logits_are_refined_as_their_probabilities() -> None:
    size = (60, 90)
    logits = replace(make_scores(size), scores=make_scores(size).scores.log(), logits=True)
    probabilities = torch.stack([ClassProbabilities(logits, size)[k] for k in range(4)])
    plain = replace(logits, scores=probabilities[None], logits=False)
    one, other = refine(size, make_refiner(), logits), refine(size, make_refiner(), plain)
    assert (one.label_map != other.label_map).mean() < 1e-3
    assert np.median(np.abs(one.confidence - other.confidence)) < 1e-5


def test_queries_are_refined_as_the_classes_they_ask_for() -> None:
    size, class_index = (60, 90), torch.tensor([0, 2, 1, 0])
    queries = replace(make_scores(size), scores=make_scores(size).scores.log(), logits=True, class_index=class_index)
    found = ClassProbabilities(queries, size)
    plain = ScoreMap(torch.stack([found[k] for k in range(3)])[None], canvas=size, extent=size)
    one, other = refine(size, make_refiner(), queries), refine(size, make_refiner(), plain)
    assert (one.label_map != other.label_map).mean() < 1e-3 and set(np.unique(one.label_map)) <= {0, 1, 2}
    assert np.median(np.abs(one.confidence - other.confidence)) < 1e-5


@pytest.mark.parametrize("size", [(5, 7), (1, 1), (2, 200), (200, 1), (15, 15)])
def test_pictures_below_a_patch_and_slivers_are_refined(size: tuple[int, int]) -> None:
    refined = refine(size, make_refiner(minimal_area=1, coarse_thresh=0.0))
    assert refined.label_map.shape == size and np.isfinite(refined.confidence).all()


def test_a_class_without_pixels_or_with_unsure_ones_is_no_prompt_and_nothing_is_encoded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    size, sam = (60, 90), tiny_sam()
    monkeypatch.setattr(sam, "embed", lambda pixels: pytest.fail("SAM was asked"))
    flat = ScoreMap(torch.full((1, 4, 5, 6), 0.1), canvas=size, extent=size)
    refined = refine(size, make_refiner(sam), flat)
    assert (refined.label_map == 0).all()
    refined = refine(size, make_refiner(sam, minimal_area=100_000))
    np.testing.assert_array_equal(refined.label_map, label(make_scores(size), size).label_map)


def test_any_number_of_classes_is_refined_in_its_kind() -> None:
    size = (60, 90)
    scores = torch.zeros(1, 300, 5, 6)
    scores[:, 290:] = make_scores(size, classes=10).scores
    refined = refine(size, make_refiner(), ScoreMap(scores, canvas=size, extent=size))
    expected = refine(size, make_refiner(), make_scores(size, classes=10))
    assert refined.label_map.dtype == np.uint16
    np.testing.assert_array_equal(refined.label_map, expected.label_map.astype(np.uint16) + 290)


def test_the_extractor_and_the_refiner_encode_a_picture_once(monkeypatch: pytest.MonkeyPatch) -> None:
    sam, embedded, size = tiny_sam(), [], (60, 90)
    embed = sam.embed
    monkeypatch.setattr(sam, "embed", lambda pixels: embedded.append(1) or embed(pixels))
    extractor = TridentExtractor(tiny_clip(), tiny_dino(), sam, window=64, step=32)
    with torch.inference_mode():
        extractor(torch.rand(1, 3, 64, 96), [make_picture(*size)])
    refine(size, make_refiner(sam))
    assert len(embedded) == 1


def test_labels_of_another_picture_are_refused() -> None:
    score_map = make_scores((60, 90))
    with pytest.raises(ShapeError, match=r"expected labels of the picture, \[90, 60\], got \[60, 90\]"):
        make_refiner().relabel(label(score_map, (60, 90)), score_map=score_map, picture=make_picture(90, 60))


@pytest.mark.parametrize(
    "settings", [{"mask_prompt": "4d"}, {"coarse_thresh": 1.5}, {"minimal_area": 0}, {"stride": 0}], ids=str
)
def test_settings_out_of_range_are_named(settings: dict[str, object]) -> None:
    with pytest.raises(UsageError, match="expected"):
        make_refiner(**settings)
