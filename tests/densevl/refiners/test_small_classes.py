"""SCLIP's area rule against its plain form on the whole [K, H, W]."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from densevl.core.errors import UsageError
from densevl.core.stages import PictureRefiner
from densevl.core.structures import ScoreMap, TextBank
from densevl.ops import label_picture, merge_windows, window_boxes
from densevl.ops.doubt import doubt_map
from densevl.ops.probability import ClassProbabilities
from densevl.refiners import SmallClassRefiner

SIZE, CANVAS = (71, 90), (48, 64)
CLASS_INDEX = torch.tensor([0, 0, 1, 2, 2, 3, 4, 5])
NAMES = ("background", "cat", "dog", "sky", "car", "tree")


def make_bank(class_index: torch.Tensor = CLASS_INDEX, names: tuple[str, ...] = NAMES) -> TextBank:
    return TextBank(F.normalize(torch.ones(len(class_index), 4), dim=-1), class_index, names)


def make_map(*, windows: bool = False, logits: bool = True, queries: bool = True) -> ScoreMap:
    boxes = window_boxes(*CANVAS, crop=48, stride=16) if windows else None
    rows = 8 if queries else 6
    coarse = torch.randn(1 if boxes is None else len(boxes), rows, 3, 4, generator=torch.Generator().manual_seed(3))
    scores = 2 * F.interpolate(coarse, (6, 8), mode="bicubic")
    scores = scores if logits else scores.softmax(dim=1)
    extent = CANVAS if boxes is None else (48, 48)
    index = CLASS_INDEX if queries else None
    return ScoreMap(scores, CANVAS, extent, boxes, logits=logits, class_index=index)


def published(score_map: ScoreMap, share: float) -> torch.Tensor:
    """Probabilities [K, H, W], those of small classes 0."""
    merged = merge_windows(score_map) if score_map.boxes is not None else score_map.scores[0]
    whole = F.interpolate(merged[None], SIZE, mode="bilinear", align_corners=False)[0]
    queries = whole.softmax(dim=0) if score_map.logits else whole
    classes = torch.arange(len(queries)) if score_map.class_index is None else score_map.class_index
    probabilities = torch.stack([queries[classes == k].amax(dim=0) for k in range(len(NAMES))])
    areas = F.one_hot(probabilities.argmax(dim=0), len(NAMES))[..., 1:].sum(dim=(0, 1))
    probabilities[1:] *= (areas > share * areas.sum()).float()[:, None, None]
    return probabilities


@pytest.mark.parametrize("share", [0.0, 0.1, 0.25, 0.9])
@pytest.mark.parametrize(
    ("windows", "logits", "queries"), [(False, True, True), (True, True, True), (True, False, True), (False,) * 3]
)
def test_labels_and_probabilities_are_those_of_the_plain_form(
    windows: bool, logits: bool, queries: bool, share: float
) -> None:
    score_map = make_map(windows=windows, logits=logits, queries=queries)
    bank = make_bank() if queries else make_bank(torch.arange(6))
    refined = SmallClassRefiner(share)(score_map, picture=np.zeros((*SIZE, 3), np.uint8), bank=bank)
    expected = published(score_map, share)
    labels, confidence = label_picture(refined, SIZE)
    best = expected.topk(2, dim=0).values
    settled = (best[0] - best[1] > 1e-5).numpy()
    np.testing.assert_array_equal(labels[settled], expected.argmax(dim=0).numpy()[settled])
    np.testing.assert_allclose(confidence, best[0].numpy(), atol=2e-6)
    found = ClassProbabilities(refined, SIZE)
    for k in range(len(NAMES)):
        np.testing.assert_allclose(found[k].numpy(), expected[k].numpy(), atol=5e-6)
        assert float(found[k].max()) <= found.ceiling(k) + 5e-6
    if share == 0.25:
        assert 1 <= (expected.amax(dim=(1, 2)) == 0).sum() < 5  # the rule had something to do, and left something


def test_what_is_muted_is_no_rival() -> None:
    refined = SmallClassRefiner(0.25)(make_map(), picture=np.zeros((*SIZE, 3), np.uint8), bank=make_bank())
    kept = [k for k in range(6) if not refined.muted[k == CLASS_INDEX].all()]
    queries = refined.scores[0].softmax(dim=0)
    classes = torch.stack([queries[k == CLASS_INDEX].amax(dim=0) for k in kept])
    best = classes.topk(2, dim=0).values
    plain = F.interpolate((1 - best[0] + best[1])[None, None], CANVAS, mode="bilinear")[0, 0]
    np.testing.assert_allclose(doubt_map(refined), plain.numpy(), atol=1e-6)


def test_a_list_without_a_background_is_all_foreground_and_never_all_muted() -> None:
    score_map, picture = make_map(queries=False), np.zeros((*SIZE, 3), np.uint8)
    bank = make_bank(torch.arange(6), ("wall", *NAMES[1:]))
    areas = np.bincount(label_picture(score_map, SIZE)[0].ravel(), minlength=6) / (SIZE[0] * SIZE[1])
    refined = SmallClassRefiner(0.2)(score_map, picture=picture, bank=bank)
    assert refined.muted.tolist() == (areas <= 0.2).tolist()
    assert SmallClassRefiner(0.99)(score_map, picture=picture, bank=bank) is score_map


def test_it_is_a_refiner_of_pictures_and_keeps_to_its_range() -> None:
    assert isinstance(SmallClassRefiner(), PictureRefiner)
    for share in (-0.1, 1.0):
        with pytest.raises(UsageError, match="least_share"):
            SmallClassRefiner(share)
