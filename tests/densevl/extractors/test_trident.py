from __future__ import annotations

from copy import deepcopy
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.backbones import CLIPBackbone
from densevl.core.errors import ConfigError, ShapeError
from densevl.core.stages import OriginalExtractor
from densevl.data.transforms import resize_picture, to_pixels
from densevl.extractors import TridentExtractor, TridentGuidance
from densevl.extractors.trident import pool_by_guide
from tests.tiny import TINY_CLIP, tiny_clip, tiny_dino, tiny_sam


def clip_of_patch(patch: int) -> CLIPBackbone:
    """The tiny CLIP with another patch, on its own grid of 4 x 4."""
    if patch == 16:
        return tiny_clip()
    from open_clip.model import CLIP

    config = deepcopy(TINY_CLIP)
    config["vision_cfg"].update(image_size=4 * patch, patch_size=patch)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return CLIPBackbone.from_config(config, CLIP(**deepcopy(config)).state_dict())


def make(patch: int = 16, **options: Any) -> TridentExtractor:
    settings = {"window": 6 * patch, "step": 4 * patch, **options}
    return TridentExtractor(clip_of_patch(patch), tiny_dino(), tiny_sam(), **settings)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)


@torch.no_grad()
def plain(trident: TridentExtractor, image: np.ndarray) -> torch.Tensor:
    """The whole way with whole matrices, for patch 16 and a picture of no less than one window: [E, h, w]."""
    clip_model, size = trident.clip_model, [-(-side // 16) * 16 for side in image.shape[:2]]
    pixels = F.interpolate(to_pixels(image), size=size, mode="bilinear", align_corners=False)
    canvas, hits = torch.zeros(48, size[0] // 16, size[1] // 16), torch.zeros(size[0] // 16, size[1] // 16)
    places, maps, guides = [], [], []
    for y in range(0, size[0] - 96 + 64, 64):
        for x in range(0, size[1] - 96 + 64, 64):
            y0, x0 = min(y, size[0] - 96), min(x, size[1] - 96)
            window = pixels[:, :, y0 : y0 + 96, x0 : x0 + 96]
            tokens = clip_model.embed(window, overshoot=0.1)
            for block in clip_model.blocks[:-1]:
                tokens = block(tokens)
            attention = clip_model.blocks[-1].attn
            normed = clip_model.blocks[-1].ln_1(tokens[0, 1:])
            maps.append(normed @ attention.in_proj_weight[96:].T + attention.in_proj_bias[96:])  # [36, 48]
            guides.append(F.normalize(trident.dino.features(window, "tokens")[0].flatten(1), dim=0))
            places.append((y0 // 16, x0 // 16))
    affinity = torch.stack([guide.T @ guide for guide in guides])
    affinity = (affinity - 1.2 * affinity.mean()) * 3
    affinity = affinity.masked_fill(affinity < 0, -torch.inf).softmax(dim=-1)
    for (row, col), weights, values in zip(places, affinity, maps, strict=True):
        pooled = clip_model.blocks[-1].attn.out_proj(weights @ values)
        canvas[:, row : row + 6, col : col + 6] += pooled.T.unflatten(1, (6, 6))
        hits[row : row + 6, col : col + 6] += 1
    view = trident.sam.fit(resize_picture(image, tuple(size)))
    height, width = (side // 16 for side in view.shape[2:])
    last = trident.sam.last_attention(trident.sam.walk(view))
    attention = last.rows(0, 8)[0, :, :height, :width, :height, :width].reshape(3, height * width, height * width)
    unit = F.normalize(last.values[0, :, :height, :width].flatten(1, 2), dim=-1)
    similarity = unit @ unit.transpose(1, 2)
    kept = attention * (similarity > (1.2 * similarity.mean(dim=(0, 2))).clamp(max=0.9)[:, None])
    weights = kept.sum(dim=0) / kept.sum(dim=(0, 2))[:, None]
    resized = F.interpolate((canvas / hits)[None], size=(height, width), mode="bilinear", align_corners=False)[0]
    return clip_model.finish(weights @ resized.flatten(1).T).T.unflatten(1, (height, width))


@pytest.mark.parametrize("size", [(100, 170), (230, 97)])
def test_it_equals_the_plain_form(size: tuple[int, int]) -> None:
    trident, image = make(), picture(*size)
    assert_close(trident(to_pixels(image)).features[0], plain(trident, image), atol=1e-5, rtol=0)


def test_a_batch_gives_what_its_pictures_give_one_by_one() -> None:
    trident, images = make(), [picture(90, 140, seed) for seed in range(3)]
    together = trident(torch.cat([to_pixels(image) for image in images])).features
    singles = torch.cat([trident(to_pixels(image)).features for image in images])
    assert together.shape == (3, 32, 5, 8)
    assert_close(together, singles, atol=1e-6, rtol=0)


def test_the_original_is_what_sam_sees_and_pixels_stand_for_it_where_there_is_none() -> None:
    trident, original = make(), picture(200, 320)
    pixels = to_pixels(resize_picture(original, (100, 160)))
    assert isinstance(trident, OriginalExtractor)
    features = trident(pixels, [original]).features
    canvas, views = trident.splice(pixels), trident.sam_views(pixels, original)
    assert_close(features[0], trident.clip_model.finish(trident.aggregate(canvas, views)).permute(2, 0, 1))
    assert not torch.allclose(features, trident(pixels).features, atol=1e-4)
    assert_close(trident(pixels, [resize_picture(original, (100, 160))]).features, trident(pixels).features)


@pytest.mark.parametrize("size", [(64, 64), (64, 96), (32, 208), (5, 7), (1, 300), (97, 16), (80, 112)])
@pytest.mark.parametrize("patch", [16, 14])
@pytest.mark.parametrize("keep_aspect", [False, True])
def test_small_and_long_pictures_pass(size: tuple[int, int], patch: int, keep_aspect: bool) -> None:
    trident = make(patch, keep_aspect=keep_aspect)
    features = trident(to_pixels(picture(*size))).features
    assert bool(features.isfinite().all())
    fitted = trident.sam.fitted_size(*(-(-side // patch) * patch for side in size))
    assert features.shape == (1, 32, *(max(1, side // 16) for side in fitted))


def test_keeping_the_aspect_changes_pictures_below_the_window_only() -> None:
    published, kept = make(), make(keep_aspect=True)
    small, large = to_pixels(picture(60, 150)), to_pixels(picture(100, 150))
    assert published.splice(small).shape == (48, 6, 10) and kept.splice(small).shape == (48, 4, 10)
    assert_close(published(large).features, kept(large).features)


def test_patches_of_14_and_16_meet_on_the_finer_canvas() -> None:
    trident = make(14)  # windows of 84 px: 6 patches of CLIP, 5 of DINO
    windows = torch.rand(2, 3, 84, 84)
    assert trident.pool_windows(windows).shape == (2, 48, 5, 5)
    assert trident.splice(torch.rand(1, 3, 84, 126)).shape == (48, 6, 9)
    even = TridentExtractor(clip_of_patch(14), tiny_dino(), tiny_sam(), window=336, step=224)
    assert even.pool_windows(torch.rand(1, 3, 336, 336)).shape == (1, 48, 21, 21)  # from 24 x 24
    assert even.splice(torch.rand(1, 3, 336, 336)).shape == (48, 24, 24)


def test_all_windows_of_a_picture_share_one_mean_affinity() -> None:
    clip_model = tiny_clip()
    generator = torch.Generator().manual_seed(0)
    values, guide = torch.randn(2, 48, 4, 4, generator=generator), torch.randn(2, 9, 4, 4, generator=generator)
    guide[1] += 3.0  # this window's places look alike
    together = pool_by_guide(clip_model, values, guide, beta=1.2, gamma=3.0)
    alone = pool_by_guide(clip_model, values[:1], guide[:1], beta=1.2, gamma=3.0)
    assert together.shape == (2, 48, 4, 4) and not torch.allclose(together[:1], alone, atol=1e-4)


def test_halves_are_seen_each_at_sams_full_resolution() -> None:
    trident = make(guidance=TridentGuidance(halves=True))
    image = picture(96, 192)
    pixels = to_pixels(image)
    features = trident(pixels).features
    assert features.shape == (1, 32, 8, 16)  # twice the grid of the whole
    left, right = trident.sam_views(pixels)
    assert_close(left, trident.sam.fit(np.ascontiguousarray(image[:, :96])))
    assert left.shape == right.shape and not torch.equal(left, right)


def test_thresholds_reach_sams_bonds() -> None:
    pixels = to_pixels(picture(96, 96))
    published = make()(pixels).features
    for guidance in (TridentGuidance(cos_fac=0.0), TridentGuidance(beta=1.0), TridentGuidance(gamma=5.0)):
        assert not torch.allclose(make(guidance=guidance)(pixels).features, published, atol=1e-4)
    assert make(guidance=TridentGuidance(refine_neg_cos=False)).thresholds == {"factor": 1.2, "keep_negative": False}


@pytest.mark.parametrize("halves", [False, True])
def test_it_runs_on_the_meta_device(halves: bool) -> None:
    trident = make(guidance=TridentGuidance(halves=halves)).to("meta")
    features = trident(torch.empty(2, 3, 96, 192, device="meta")).features
    assert (features.device.type, features.shape) == ("meta", (2, 32, 8, 16) if halves else (2, 32, 4, 8))


def test_it_keeps_the_models_dtype() -> None:
    pixels = to_pixels(picture(96, 96))
    assert_close(make().double()(pixels.double()).features, make()(pixels).features.double(), atol=1e-4, rtol=0)


def test_windows_of_broken_patches_and_other_pixels_are_refused() -> None:
    for window, step in ((100, 64), (96, 50), (96, 112), (96, 0)):
        with pytest.raises(ConfigError, match="multiples of CLIP's patch of 16 px"):
            make(window=window, step=step)
    with pytest.raises(ShapeError, match=r"expected float pixels \[B, 3, H, W\]"):
        make()(torch.rand(3, 96, 96))
    for originals in ([picture(9, 9)] * 3, [picture(9, 9), picture(9, 8)], []):
        with pytest.raises(ShapeError, match="expected 2 originals of one size"):
            make()(torch.rand(2, 3, 96, 96), originals)


def test_a_whole_picture_may_be_one_window_of_any_shape() -> None:
    pixels = to_pixels(picture(90, 150))
    whole = make(window=None, step=None, keep_aspect=True)(pixels).features
    assert_close(whole, make(window=160, step=160, keep_aspect=True)(pixels).features)
    with pytest.raises(ConfigError, match="needs a window"):
        make(window=None, step=64)


def test_half_a_window_in_whole_patches_is_the_step_where_none_is_said() -> None:
    assert [make(window=window, step=None).step for window in (96, 112, 16)] == [48, 48, 16]
