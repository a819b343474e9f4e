from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ConfigError, ShapeError, UsageError
from densevl.core.stages import Extractor
from densevl.extractors import MaskCLIPExtractor, ProxyCLIPExtractor, SelfAttentionExtractor
from densevl.ops.attention import mean_cosine, proxy_attention
from tests.tiny import TINY_DINO, tiny_clip, tiny_dino

METHODS: dict[str, dict[str, Any]] = {
    "clip": {},
    "sclip": {"pairs": ("qq", "kk")},
    "naclip": {"pairs": ("kk",), "sigma": 5.0, "keep_residual": False, "keep_mlp": False},
    "naclip vanilla": {"pairs": ("kk",), "sigma": 5.0},
    "clearclip": {"pairs": ("qq",), "keep_residual": False, "keep_mlp": False},
    "maskclip": {"pairs": ()},
}


def tiny_proxy(patch: int = 16, **options: float) -> ProxyCLIPExtractor:
    return ProxyCLIPExtractor(tiny_clip(), tiny_dino({**TINY_DINO, "patch": patch, "native_img": 4 * patch}), **options)


def make(method: str) -> SelfAttentionExtractor | ProxyCLIPExtractor:
    return tiny_proxy() if method == "proxyclip" else SelfAttentionExtractor(tiny_clip(), **METHODS[method])


def test_with_its_own_affinities_the_last_block_is_clips() -> None:
    clip_model, pixels = tiny_clip(quick_gelu=True), torch.rand(2, 3, 64, 64)  # the native size
    extractor = SelfAttentionExtractor(clip_model)
    tokens = clip_model.embed(pixels)
    for block in clip_model.blocks:
        tokens = block(tokens)
    assert_close(extractor.walk(pixels), tokens, atol=1e-5, rtol=0)
    features = extractor(pixels).features.flatten(2).transpose(1, 2)
    assert_close(features, clip_model.finish(tokens)[:, 1:], atol=1e-5, rtol=0)


@pytest.mark.parametrize(("keep_residual", "keep_mlp"), [(True, True), (False, False), (False, True), (True, False)])
def test_without_affinities_it_is_maskclip_at_the_native_size(keep_residual: bool, keep_mlp: bool) -> None:
    clip_model, pixels = tiny_clip(), torch.rand(2, 3, 64, 64)
    kept = {"keep_residual": keep_residual, "keep_mlp": keep_mlp}
    features = SelfAttentionExtractor(clip_model, pairs=(), **kept)(pixels).features
    assert_close(features, MaskCLIPExtractor(clip_model, **kept)(pixels).features, atol=1e-5, rtol=0)


def test_at_other_sizes_the_position_table_follows_the_families_rule() -> None:
    clip_model, pixels = tiny_clip(), torch.rand(1, 3, 96, 160)
    features = SelfAttentionExtractor(clip_model, pairs=())(pixels).features
    assert (features - MaskCLIPExtractor(clip_model)(pixels).features).abs().max() > 1e-4


def test_the_methods_differ() -> None:
    pixels = torch.rand(1, 3, 64, 96)
    found = [make(method)(pixels).features for method in [*METHODS, "proxyclip"]]
    for index, features in enumerate(found):
        for other in found[:index]:
            assert (features - other).abs().max() > 1e-2


@pytest.mark.parametrize("method", [*METHODS, "proxyclip"])
def test_a_batch_is_its_singles_at_any_size(method: str) -> None:
    extractor, pixels = make(method), torch.rand(3, 3, 50, 37)
    features = extractor(pixels).features
    assert isinstance(extractor, Extractor)
    assert (extractor.stride, features.shape) == (16, (3, 32, 4, 3))
    assert_close(features, torch.cat([extractor(one[None]).features for one in pixels]), atol=1e-5, rtol=0)


@pytest.mark.parametrize("size", [(1, 1), (16, 16), (7, 90)])
@pytest.mark.parametrize("method", ["sclip", "naclip", "proxyclip"])
def test_small_and_narrow_pictures_have_features(method: str, size: tuple[int, int]) -> None:
    features = make(method)(torch.rand(1, 3, *size)).features
    assert features.shape[2:] == (-(-size[0] // 16), -(-size[1] // 16))
    assert features.isfinite().all()


def test_pixels_are_not_written_to() -> None:
    pixels = torch.rand(1, 3, 50, 70)
    before = pixels.clone()
    for method in [*METHODS, "proxyclip"]:
        make(method)(pixels)
    assert torch.equal(pixels, before)


@pytest.mark.parametrize("method", [*METHODS, "proxyclip"])
def test_it_runs_on_the_meta_device(method: str) -> None:
    extractor = deepcopy(make(method)).to("meta")
    features = extractor(torch.empty(2, 3, 50, 70, device="meta")).features
    assert (features.device.type, features.shape) == ("meta", (2, 32, 4, 5))


@pytest.mark.parametrize("method", ["clip", "proxyclip"])
def test_other_things_than_pixels_are_refused(method: str) -> None:
    with pytest.raises(ShapeError, match=r"\[B, 3, H, W\]"):
        make(method)(torch.rand(3, 64, 64))


def test_settings_that_mean_nothing_are_refused() -> None:
    with pytest.raises(UsageError, match="'qx'"):
        SelfAttentionExtractor(tiny_clip(), pairs=("qx",))
    with pytest.raises(ConfigError, match="sigma"):
        SelfAttentionExtractor(tiny_clip(), pairs=(), sigma=5.0)


@pytest.mark.parametrize("patch", [16, 8, 12])
def test_proxyclip_pools_clips_values_by_dinos_tokens(patch: int) -> None:
    extractor, pixels = tiny_proxy(patch, beta=1.1, gamma=4.0), torch.rand(2, 3, 96, 144)  # whole patches of both
    clip_model, grid = extractor.clip_model, (96 // patch, 144 // patch)
    tokens = clip_model.embed(pixels, overshoot=0.1)
    for block in clip_model.blocks[:-1]:
        tokens = block(tokens)
    block = clip_model.blocks[-1]
    fused = F.linear(block.ln_1(tokens[:, 1:]), block.attn.in_proj_weight, block.attn.in_proj_bias)
    values = fused.chunk(3, dim=-1)[2].transpose(1, 2).unflatten(2, (6, 9))
    values = F.interpolate(values, size=grid, mode="bilinear", align_corners=False)
    guide = extractor.dino.features(pixels, "tokens").flatten(2)
    attended = proxy_attention(guide, values.flatten(2).transpose(1, 2), beta=1.1, gamma=4.0, mean=mean_cosine(guide))
    expected = clip_model.finish(block.attn.out_proj(attended)).transpose(1, 2).unflatten(2, grid)
    assert extractor.stride == patch
    assert_close(extractor(pixels).features, expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("patch", [8, 12, 16])
def test_proxyclips_grid_covers_the_picture_and_no_more(patch: int) -> None:
    features = tiny_proxy(patch)(torch.rand(1, 3, 50, 33)).features
    assert features.shape == (1, 32, -(-50 // patch), -(-33 // patch))
