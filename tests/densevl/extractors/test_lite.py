from __future__ import annotations

import pytest
import torch

from densevl.core.errors import ShapeError
from densevl.data.transforms import to_pixels
from densevl.extractors import LiteExtractor
from tests.packaged_lite import lite, picture


@pytest.fixture(scope="module")
def pixels() -> torch.Tensor:
    return to_pixels(picture("chelsea")[:150, :201].copy())  # [1, 3, 150, 201]


@torch.inference_mode()
def test_the_grid_covers_every_pixel_once(pixels: torch.Tensor) -> None:
    result = LiteExtractor(lite())(pixels)
    assert result.features.shape == (1, 1280, 5, 7)
    assert result.guide is not None and result.guide.shape == (1, 80, 5, 7)
    assert result.features.norm(dim=1).max() <= 1.0001  # a mean of unit vectors


@torch.inference_mode()
def test_a_batch_is_a_loop_of_singles(pixels: torch.Tensor) -> None:
    extractor = LiteExtractor(lite())
    batch = torch.cat([pixels, pixels.flip(2), 1 - pixels])
    together = extractor(batch)
    singles = [extractor(batch[b : b + 1]) for b in range(3)]
    torch.testing.assert_close(together.features, torch.cat([s.features for s in singles]), atol=1e-4, rtol=1e-3)
    torch.testing.assert_close(together.guide, torch.cat([s.guide for s in singles]), atol=1e-3, rtol=1e-3)


@pytest.mark.parametrize("size", [(1, 1), (1, 500), (33, 64)])
@torch.inference_mode()
def test_small_and_narrow_pictures_have_finite_features(size: tuple[int, int]) -> None:
    result = LiteExtractor(lite())(torch.rand(1, 3, *size))
    assert result.features.shape[2:] == (-(-size[0] // 32), -(-size[1] // 32))
    assert result.features.isfinite().all() and result.guide is not None and result.guide.isfinite().all()


def test_bytes_and_single_pictures_are_refused() -> None:
    for wrong in (torch.zeros(1, 3, 64, 64, dtype=torch.uint8), torch.zeros(3, 64, 64), torch.zeros(1, 4, 64, 64)):
        with pytest.raises(ShapeError, match=r"\[B, 3, H, W\]"):
            LiteExtractor(lite())(wrong)
