from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.structures import ScoreMap
from densevl.ops.probability import ClassProbabilities
from densevl.ops.regions import connected_regions
from densevl.refiners.sam_prompts import CoarseClass, coarse_classes, halved_size, make_prompts, pick_nearest
from tests.tiny import tiny_sam


def probabilities(maps: torch.Tensor) -> ClassProbabilities:
    """Of maps [K, H, W] at their own size."""
    size = (maps.shape[1], maps.shape[2])
    return ClassProbabilities(ScoreMap(maps[None], canvas=size, extent=size), size)


def halves() -> tuple[np.ndarray, torch.Tensor]:
    """Labels and probabilities: class 0 on the left, class 1 on the right, unsure in the lower half; no class 2."""
    maps = torch.zeros(3, 40, 60)
    maps[0, :, :30] = maps[1, :, 30:] = 0.9
    maps[:2, 20:] *= 0.2
    return maps.argmax(dim=0).numpy().astype(np.uint8), maps


def test_a_class_without_pixels_has_no_regions_and_unsure_pixels_belong_to_none() -> None:
    labels, maps = halves()
    found = list(coarse_classes(labels, probabilities(maps), coarse_thresh=0.5, minimal_area=1))
    assert [(item.class_id, [region.box for region in item.regions]) for item in found] == [
        (0, [(0, 0, 14, 9)]),
        (1, [(15, 0, 29, 9)]),
    ]
    found = list(coarse_classes(labels, probabilities(maps), coarse_thresh=0.0, minimal_area=1))
    assert [item.regions[0].box for item in found] == [(0, 0, 14, 19), (15, 0, 29, 19)]


def test_small_regions_and_pixels_without_a_label_are_left_out() -> None:
    labels, maps = halves()
    assert not list(coarse_classes(labels, probabilities(maps), coarse_thresh=0.5, minimal_area=151))
    labels[:, 30:] = 255
    found = coarse_classes(labels, probabilities(maps), coarse_thresh=0.5, minimal_area=1)
    assert [item.class_id for item in found] == [0]


def test_regions_are_found_at_half_size_by_torchs_rules() -> None:
    labels = np.random.default_rng(0).integers(0, 300, (31, 45)).astype(np.uint16)
    half = halved_size((31, 45))
    expected = F.interpolate(torch.from_numpy(labels.astype(np.float64))[None, None], size=half, mode="nearest")[0, 0]
    found = pick_nearest(labels, half)
    assert found.dtype == labels.dtype and half == (15, 22)
    np.testing.assert_array_equal(found, expected.numpy())
    assert pick_nearest(np.array([[True, False]]), (2, 4)).tolist() == [[True, True, False, False]] * 2
    assert halved_size((1, 3)) == (1, 1)


@pytest.mark.parametrize("size", [(20, 30), (30, 20), (1, 90)])
def test_prompts_lie_where_the_fitted_picture_has_the_region(size: tuple[int, int]) -> None:
    sam = tiny_sam()
    probability = torch.rand(size, generator=torch.Generator().manual_seed(0))
    mask = np.zeros(size, dtype=bool)
    mask[:, 5:8] = mask[:, 12:14] = True
    coarse = CoarseClass(0, probability, connected_regions(mask, probability.numpy()))
    prompts = make_prompts(coarse, sam, least=0.5, scale=0.01)
    assert prompts.points.shape == (2, 1, 2) and prompts.boxes.shape == (2, 4)
    fitted = sam.fitted_size(*size)
    back = prompts.points[:, 0] / torch.tensor([fitted[1] / size[1], fitted[0] / size[0]])
    assert_close(back, torch.tensor([region.point for region in coarse.regions]).float(), atol=1e-4, rtol=0)
    boxes = prompts.boxes
    inside = (prompts.points[:, 0] >= boxes[:, :2] - 1e-4) & (prompts.points[:, 0] <= boxes[:, 2:] + 1e-4)
    assert inside.all()


def test_the_mask_prompt_is_the_probability_where_it_is_large_padded_to_a_square() -> None:
    probability = torch.rand(16, 32, generator=torch.Generator().manual_seed(0))
    coarse = CoarseClass(0, probability, connected_regions(np.ones((16, 32), dtype=bool), probability.numpy()))
    masks = make_prompts(coarse, tiny_sam(), least=0.5, scale=0.01).masks  # [1, 32, 32]
    expected = torch.where(probability > 0.5, probability * 0.01, 0.0)
    assert_close(masks[0, :16], expected, atol=1e-6, rtol=0)
    assert (masks[0, 16:] == 0).all()


def test_a_few_at_a_time_are_all_of_them() -> None:
    probability = torch.rand(16, 32)
    mask = np.zeros((16, 32), dtype=bool)
    mask[:, ::4] = True
    prompts = make_prompts(
        CoarseClass(0, probability, connected_regions(mask, probability.numpy())), tiny_sam(), least=0.5, scale=0.01
    )
    parts = list(prompts.split(3))
    assert [len(part.points) for part in parts] == [3, 3, 2]
    assert torch.equal(torch.cat([part.boxes for part in parts]), prompts.boxes)
