from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ConfigError, ShapeError
from densevl.core.stages import Extractor
from densevl.extractors import MaskCLIPExtractor
from tests.tiny import tiny_clip


def reference(clip_model, pixels: torch.Tensor, keep_residual: bool, keep_mlp: bool) -> torch.Tensor:
    """The last block with all of attention computed and its map replaced by the identity, class token kept."""
    tokens = clip_model.embed(pixels)
    for block in clip_model.blocks[:-1]:
        tokens = block(tokens)
    block = clip_model.blocks[-1]
    _, _, values = F.linear(block.ln_1(tokens), block.attn.in_proj_weight, block.attn.in_proj_bias).chunk(3, dim=-1)
    values = torch.eye(tokens.shape[1]) @ values
    out = block.attn.out_proj(values) + (tokens if keep_residual else 0)
    out = out + block.mlp(block.ln_2(out)) if keep_mlp else out
    return clip_model.finish(out)[:, 1:]  # [B, h*w, E]


@pytest.mark.parametrize("keep_residual", [True, False])
@pytest.mark.parametrize("keep_mlp", [True, False])
def test_features_are_those_of_an_identity_attention(keep_residual: bool, keep_mlp: bool) -> None:
    clip_model, pixels = tiny_clip(), torch.rand(2, 3, 48, 96)
    extractor = MaskCLIPExtractor(clip_model, keep_residual=keep_residual, keep_mlp=keep_mlp)
    features = extractor(pixels).features
    assert features.shape == (2, 32, 3, 6)
    expected = reference(clip_model, pixels, keep_residual, keep_mlp)
    assert_close(features.flatten(2).transpose(1, 2), expected, atol=1e-5, rtol=0)


def test_it_is_an_extractor_that_pads_and_says_its_stride() -> None:
    extractor = MaskCLIPExtractor(tiny_clip())
    assert isinstance(extractor, Extractor)
    assert extractor.stride == 16
    assert extractor(torch.rand(1, 3, 50, 17)).features.shape == (1, 32, 4, 2)


def test_a_patch_feature_lies_where_its_pixels_are() -> None:
    extractor = MaskCLIPExtractor(tiny_clip(), keep_residual=False, keep_mlp=False)
    pixels = torch.rand(1, 3, 64, 96)
    changed = pixels.clone()
    changed[..., 16:32, 64:80] = 0
    difference = (extractor(pixels).features - extractor(changed).features).abs().sum(1)[0]  # [h, w]
    assert divmod(int(difference.argmax()), difference.shape[1]) == (1, 4)


def test_a_batch_is_its_singles() -> None:
    extractor, pixels = MaskCLIPExtractor(tiny_clip()), torch.rand(3, 3, 50, 70)
    singles = torch.cat([extractor(one[None]).features for one in pixels])
    assert_close(extractor(pixels).features, singles, atol=1e-5, rtol=0)


def test_the_input_is_not_written_to() -> None:
    pixels = torch.rand(1, 3, 50, 70)
    before = pixels.clone()
    MaskCLIPExtractor(tiny_clip())(pixels)
    assert torch.equal(pixels, before)


def test_wrong_pixels_are_refused() -> None:
    with pytest.raises(ShapeError):
        MaskCLIPExtractor(tiny_clip())(torch.rand(3, 50, 70))


def test_forward_runs_on_the_meta_device_and_keeps_the_towers_dtype() -> None:
    extractor = MaskCLIPExtractor(tiny_clip())
    pixels = torch.rand(1, 3, 64, 64)
    expected = extractor(pixels).features
    features = extractor.bfloat16()(pixels).features
    assert features.dtype == torch.bfloat16
    assert_close(features.float(), expected, atol=0.1, rtol=0.1)
    assert extractor.to("meta")(torch.rand(1, 3, 50, 70, device="meta")).features.shape == (1, 32, 4, 5)


@pytest.mark.parametrize("guide_block", [-3, -2, -4])
def test_the_guide_is_the_second_norm_of_its_block_and_changes_no_feature(guide_block: int) -> None:
    clip_model, pixels = tiny_clip(), torch.rand(2, 3, 40, 70, generator=torch.Generator().manual_seed(0))
    feature_map = MaskCLIPExtractor(clip_model, guide_block=guide_block)(pixels)
    tokens = clip_model.embed(pixels)
    for block in clip_model.blocks[: clip_model.depth + guide_block]:
        tokens = block(tokens)
    block = clip_model.blocks[guide_block]
    normed = block.ln_1(tokens)
    tapped = block.ln_2(tokens + block.attn(normed, normed, normed, need_weights=False)[0])
    assert feature_map.guide is not None
    torch.testing.assert_close(feature_map.guide.flatten(2).transpose(1, 2), tapped[:, 1:], atol=1e-5, rtol=1e-5)
    plain = MaskCLIPExtractor(clip_model)(pixels)
    assert plain.guide is None and (plain.guide_block, feature_map.guide_block) == (None, guide_block)
    torch.testing.assert_close(feature_map.features, plain.features, atol=1e-5, rtol=1e-5)


def test_the_final_guide_is_the_features_and_the_last_block_gives_none() -> None:
    pixels = torch.rand(1, 3, 40, 70)
    feature_map = MaskCLIPExtractor(tiny_clip(), guide_block="final")(pixels)
    assert feature_map.guide is feature_map.features and feature_map.guide_block == "final"
    for block in (-1, 0, 3, -9):
        with pytest.raises(ConfigError, match="guide_block"):
            MaskCLIPExtractor(tiny_clip(), guide_block=block)
