from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import UsageError
from densevl.core.stages import PictureRefiner
from densevl.core.structures import ScoreMap, TextBank
from densevl.ops import label_picture, merge_windows, pamr, window_boxes
from densevl.refiners import PAMRRefiner

BANK = TextBank(torch.eye(4), torch.arange(4), ("a", "b", "c", "d"))


def make_picture(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def make_scores(windows: int = 1, grid: tuple[int, int] = (4, 5)) -> torch.Tensor:
    return torch.randn(windows, 4, *grid, generator=torch.Generator().manual_seed(0)).softmax(dim=1)


def as_pixels(picture: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(picture).permute(2, 0, 1)[None] / 255


def test_scores_are_refined_at_the_pictures_own_size() -> None:
    picture = make_picture(50, 66)
    score_map = ScoreMap(make_scores(), canvas=(100, 132), extent=(128, 160))  # the extractor had padded
    refined = PAMRRefiner(steps=3, dilations=(1, 4))(score_map, picture=picture, bank=BANK)
    seen = F.interpolate(score_map.scores, (128, 160), mode="bilinear", align_corners=False)[..., :100, :132]
    seen = F.interpolate(seen, (50, 66), mode="bilinear", align_corners=False)
    expected = pamr(as_pixels(picture), seen, steps=3, dilations=(1, 4))
    # in one step, not two: equal where the first step's pixels are nodes of the second's
    assert_close(refined.scores, expected, atol=5e-3, rtol=0)
    assert (refined.canvas, refined.extent, refined.boxes) == ((100, 132), (100, 132), None)
    labels, confidence = label_picture(refined, (50, 66))
    np.testing.assert_array_equal(labels, refined.scores[0].argmax(0).numpy())
    np.testing.assert_allclose(confidence, refined.scores[0].amax(0).numpy(), atol=1e-6)


@pytest.mark.parametrize("logits", [False, True])
def test_windows_are_averaged_before_and_logits_stay_logits(logits: bool) -> None:
    picture, boxes = make_picture(48, 80), window_boxes(48, 80, crop=48, stride=16)
    score_map = ScoreMap(make_scores(len(boxes), (6, 6)), (48, 80), (48, 48), boxes, logits=logits)
    refined = PAMRRefiner()(score_map, picture=picture, bank=BANK)
    assert_close(refined.scores, pamr(as_pixels(picture), merge_windows(score_map)[None]), atol=1e-5, rtol=0)
    assert refined.boxes is None and refined.logits == logits


def test_a_budget_makes_the_grid_smaller_and_keeps_its_shape() -> None:
    refiner = PAMRRefiner(dilations=(1, 2), budget=20 * 30 * 40)  # 4 classes and 16 neighbours
    assert refiner.grid((30, 40), 4) == (30, 40)
    assert refiner.grid((300, 400), 4) == (30, 40)
    assert refiner.grid((300, 400), 64) == (15, 20)
    assert refiner.grid((1, 10**6), 4) == (1, 34641)
    picture = make_picture(60, 80)
    refined = refiner(ScoreMap(make_scores(), (60, 80), (60, 80)), picture=picture, bank=BANK)
    assert refined.scores.shape == (1, 4, 30, 40)
    assert label_picture(refined, (60, 80))[0].shape == (60, 80)


def test_of_queries_every_query_is_refined_and_keeps_its_class() -> None:
    picture, class_index = make_picture(40, 50), torch.tensor([1, 0, 1, 2])
    queries = ScoreMap(make_scores(), (40, 50), (40, 50), logits=True, class_index=class_index)
    refined = PAMRRefiner(steps=2)(queries, picture=picture, bank=BANK)
    alone = PAMRRefiner(steps=2)(replace(queries, class_index=None), picture=picture, bank=BANK)
    assert torch.equal(refined.scores, alone.scores) and refined.logits
    assert refined.class_index is class_index


def test_no_steps_leave_the_scores_alone() -> None:
    score_map = ScoreMap(make_scores(), (60, 80), (60, 80))
    assert PAMRRefiner(steps=0)(score_map, picture=make_picture(60, 80), bank=BANK) is score_map


def test_it_is_a_refiner_of_pictures_and_writes_to_none_of_its_inputs() -> None:
    picture = make_picture(40, 50)
    picture.flags.writeable = False
    score_map = ScoreMap(make_scores(), (40, 50), (40, 50))
    before = replace(score_map, scores=score_map.scores.clone())
    assert isinstance(PAMRRefiner(), PictureRefiner)
    PAMRRefiner()(score_map, picture=picture, bank=BANK)
    assert torch.equal(score_map.scores, before.scores)


@pytest.mark.parametrize("faulty", [{"steps": -1}, {"dilations": ()}, {"dilations": (0,)}, {"budget": 0}])
def test_faulty_settings_are_refused(faulty: dict[str, int]) -> None:
    with pytest.raises(UsageError, match="expected steps of at least 0"):
        PAMRRefiner(**faulty)
