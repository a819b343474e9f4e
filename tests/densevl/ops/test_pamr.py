from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.testing import assert_close

from densevl.core.errors import ShapeError, UsageError
from densevl.ops.pamr import colour_weights, pamr

AROUND = [(-1, -1), (-1, 0), (-1, 1), (0, -1), (0, 1), (1, -1), (1, 0), (1, 1)]


def neighbours(values: Tensor, y: int, x: int, dilations: tuple[int, ...]) -> Tensor:
    """[C, P] values [C, H, W] around a pixel, the border repeated."""
    height, width = values.shape[1:]
    places = [(y + dy * d, x + dx * d) for d in dilations for dy, dx in AROUND]
    return torch.stack([values[:, min(max(r, 0), height - 1), min(max(c, 0), width - 1)] for r, c in places], dim=1)


def plain_pamr(pixels: Tensor, scores: Tensor, steps: int, dilations: tuple[int, ...]) -> Tensor:
    """One picture, one pixel at a time, as the formula stands: [C, H, W], [K, H, W] -> [K, H, W]."""
    height, width = pixels.shape[1:]
    weights = {}
    for y in range(height):
        for x in range(width):
            around, own = neighbours(pixels, y, x, dilations), pixels[:, y, x, None]
            spread = torch.cat([around, own.expand(-1, len(dilations))], dim=1).std(dim=1, keepdim=True)
            weights[y, x] = (-(around - own).abs() / (1e-8 + 0.1 * spread)).mean(dim=0).softmax(dim=0)
    for _ in range(steps):
        rows = [
            torch.stack([neighbours(scores, y, x, dilations) @ weights[y, x] for x in range(width)], dim=1)
            for y in range(height)
        ]
        scores = torch.stack(rows, dim=1)
    return scores


def make(batch: int = 2, classes: int = 3, size: tuple[int, int] = (7, 9)) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    pixels = torch.rand(batch, 3, *size, generator=generator)
    return pixels, torch.rand(batch, classes, *size, generator=generator)


@pytest.mark.parametrize("dilations", [(1,), (1, 2), (3, 1, 12)])
@pytest.mark.parametrize("steps", [1, 3])
def test_every_pixel_becomes_the_mean_of_its_neighbours_of_like_colour(dilations: tuple[int, ...], steps: int) -> None:
    pixels, scores = make()
    refined = pamr(pixels, scores, steps=steps, dilations=dilations)
    for item in range(len(pixels)):
        assert_close(refined[item], plain_pamr(pixels[item], scores[item], steps, dilations), atol=1e-5, rtol=0)


def test_scores_of_another_size_are_resized_with_aligned_corners() -> None:
    pixels, _ = make()
    scores = torch.rand(2, 3, 4, 5)
    up = F.interpolate(scores, size=(7, 9), mode="bilinear", align_corners=True)
    assert_close(pamr(pixels, scores, steps=0), up)
    assert_close(pamr(pixels, scores, steps=2, dilations=(1, 2)), pamr(pixels, up, steps=2, dilations=(1, 2)))


def test_weights_sum_to_one_and_do_not_know_the_scale_of_a_channel() -> None:
    pixels, _ = make()
    weights = colour_weights(pixels, (1, 4))
    assert weights.shape == (2, 16, 7, 9)
    assert_close(weights.sum(dim=1), torch.ones(2, 7, 9))
    moved = (pixels - 0.45) / torch.tensor([0.27, 0.26, 30.0])[:, None, None]
    assert_close(colour_weights(moved, (1, 4)), weights, atol=1e-4, rtol=0)


def test_scores_do_not_flow_over_an_edge_and_a_flat_picture_is_blurred_evenly() -> None:
    pixels = torch.zeros(1, 3, 12, 16)
    pixels[..., 8:] = 1.0
    scores = torch.zeros(1, 1, 12, 16)
    scores[..., :8] = 1.0
    kept = pamr(pixels, scores, steps=5, dilations=(1, 2))
    assert kept[..., :8].min() > 0.95 and kept[..., 8:].max() < 0.05
    flat = pamr(torch.full_like(pixels, 0.3), scores, steps=1, dilations=(1,))
    assert_close(flat[0, 0, 5, 6:10], torch.tensor([1.0, 5 / 8, 3 / 8, 0.0]))


def test_a_batch_is_its_singles_and_a_class_knows_nothing_of_the_others() -> None:
    pixels, scores = make(batch=3, classes=19)  # more classes than are refined at once
    refined = pamr(pixels, scores, steps=2, dilations=(1, 2))
    singles = [pamr(pixels[i : i + 1], scores[i : i + 1], steps=2, dilations=(1, 2)) for i in range(3)]
    assert_close(refined, torch.cat(singles), atol=1e-6, rtol=0)
    assert_close(pamr(pixels, scores[:, 7:12], steps=2, dilations=(1, 2)), refined[:, 7:12], atol=1e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_dtype_of_the_scores_is_kept_and_inputs_are_not_written_to(dtype: torch.dtype) -> None:
    pixels, scores = make()
    scores = scores.to(dtype)
    before = pixels.clone(), scores.clone()
    refined = pamr(pixels, scores, steps=2, dilations=(1, 2))
    assert refined.dtype == dtype
    assert torch.equal(pixels, before[0]) and torch.equal(scores, before[1])
    expected = pamr(pixels, scores.float(), steps=2, dilations=(1, 2))
    assert_close(refined.float(), expected, atol=2e-2 if dtype == torch.bfloat16 else 1e-5, rtol=0)


def test_one_pixel_and_the_meta_device_work() -> None:
    assert_close(pamr(torch.rand(1, 3, 1, 1), torch.full((1, 2, 1, 1), 0.4)), torch.full((1, 2, 1, 1), 0.4))
    with torch.device("meta"):
        assert pamr(torch.empty(2, 3, 20, 30), torch.empty(2, 5, 4, 6)).shape == (2, 5, 20, 30)


def test_faulty_input_says_what_was_expected() -> None:
    pixels, scores = make()
    with pytest.raises(ShapeError, match=r"scores \[B, K, h, w\]"):
        pamr(pixels, scores[:1])
    with pytest.raises(ShapeError, match=r"pixels \[B, C, H, W\]"):
        pamr(pixels[0], scores[0])
    for faulty in ({"dilations": ()}, {"dilations": (0, 1)}, {"steps": -1}):
        with pytest.raises(UsageError, match="at least 1 px"):
            pamr(pixels, scores, **faulty)
