from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ShapeError
from densevl.core.stages import Extractor
from densevl.extractors import GuidedExtractor, MaskCLIPExtractor
from tests.tiny import TINY_DINO, tiny_clip, tiny_dino


def tiny_guided(patch: int = 16, **options) -> GuidedExtractor:
    dino = tiny_dino({**TINY_DINO, "patch": patch, "native_img": 4 * patch})
    return GuidedExtractor(MaskCLIPExtractor(tiny_clip()), dino, **options)


@pytest.mark.parametrize("kind", ["q", "k", "v", "tokens"])
@pytest.mark.parametrize("block", [-1, 0])
def test_features_are_clips_and_the_guide_is_dinos(kind: str, block: int) -> None:
    guided, pixels = tiny_guided(kind=kind, block=block), torch.rand(2, 3, 48, 96)
    feature_map = guided(pixels)
    assert_close(feature_map.features, guided.extractor(pixels).features)
    assert_close(feature_map.guide, guided.guide_model.features(pixels, kind, block=block))
    assert feature_map.objectness is None


def test_both_models_see_the_same_padding() -> None:
    guided, pixels = tiny_guided(), torch.rand(1, 3, 41, 70)
    feature_map, by_hand = guided(pixels), guided(F.pad(pixels, (0, 10, 0, 7)))
    assert feature_map.features.shape == (1, 32, 3, 5)
    assert_close(feature_map.features, by_hand.features)
    assert_close(feature_map.guide, by_hand.guide)


@pytest.mark.parametrize("patch", [8, 12, 32])
def test_features_come_on_the_guides_grid_where_the_patches_differ(patch: int) -> None:
    guided, pixels = tiny_guided(patch), torch.rand(1, 3, 96, 192)  # whole patches of both
    feature_map = guided(pixels)
    grid = (96 // patch, 192 // patch)
    assert feature_map.guide.shape == (1, 36, *grid)
    expected = F.interpolate(guided.extractor(pixels).features, size=grid, mode="bilinear", align_corners=False)
    assert_close(feature_map.features, expected)


@pytest.mark.parametrize("patch", [8, 12, 16])
def test_it_is_an_extractor_whose_grid_covers_the_picture_and_no_more(patch: int) -> None:
    guided = tiny_guided(patch, objectness_model=lambda pixels, grid: torch.full((1, 1, *grid), 0.5))
    assert isinstance(guided, Extractor)
    assert guided.stride == patch
    feature_map = guided(torch.rand(1, 3, 50, 33))
    expected = (-(-50 // patch), -(-33 // patch))
    for part in (feature_map.features, feature_map.guide, feature_map.objectness):
        assert part.shape[2:] == expected


def test_objectness_is_the_logit_of_what_the_objectness_model_says_of_the_padded_picture() -> None:
    seen = []

    def objectness_model(pixels: torch.Tensor, grid: tuple[int, int]) -> torch.Tensor:
        seen.append((tuple(pixels.shape), grid))
        return torch.linspace(0, 1, grid[0] * grid[1]).view(1, 1, *grid)

    objectness = tiny_guided(objectness_model=objectness_model)(torch.rand(1, 3, 41, 70)).objectness
    assert seen == [((1, 3, 48, 80), (3, 5))]
    assert objectness.isfinite().all()  # also where the probability is 0 or 1
    assert_close(objectness.sigmoid(), torch.linspace(0, 1, 15).view(1, 1, 3, 5), atol=2e-6, rtol=0)


def test_a_batch_is_its_singles_and_the_input_stays_as_it_was() -> None:
    guided, pixels = tiny_guided(8), torch.rand(3, 3, 50, 70)
    before = pixels.clone()
    together, singles = guided(pixels), [guided(one[None]) for one in pixels]
    assert_close(together.features, torch.cat([one.features for one in singles]), atol=1e-5, rtol=0)
    assert_close(together.guide, torch.cat([one.guide for one in singles]), atol=1e-5, rtol=0)
    assert torch.equal(pixels, before)


def test_wrong_pixels_are_refused() -> None:
    with pytest.raises(ShapeError):
        tiny_guided()(torch.rand(3, 50, 70))


def test_forward_runs_on_the_meta_device() -> None:
    feature_map = tiny_guided(8).to("meta")(torch.rand(1, 3, 50, 70, device="meta"))
    assert feature_map.features.device.type == "meta"
    assert feature_map.features.shape == (1, 32, 7, 9)
