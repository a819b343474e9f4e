from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.backbones import CLIPBackbone
from densevl.backbones.clip import require_plain_vit
from densevl.core.errors import ConfigError, ShapeError, UsageError, WeightsError
from densevl.ops.tokens import causal_mask
from tests.tiny import TINY_CLIP, tiny_clip, tiny_clip_weights

PROMPTS = ["a photo of a cat.", "x", "the quick brown fox jumps over the lazy dog, twice", "sky"]


def config_with(**parts) -> dict:
    config = deepcopy(TINY_CLIP)
    for key, value in parts.items():
        config[key] = {**config[key], **value} if isinstance(value, dict) and key in config else value
    return config


def test_the_view_equals_open_clip_at_the_native_size() -> None:
    clip_model, pixels = tiny_clip(), torch.rand(2, 3, 64, 64)
    expected = clip_model.clip_model.encode_image(clip_model.normalise(pixels))
    assert_close(clip_model.encode_image(pixels), expected, atol=1e-5, rtol=0)


def test_embed_blocks_and_finish_are_the_whole_tower() -> None:
    clip_model, pixels = tiny_clip(), torch.rand(1, 3, 70, 40)
    tokens = clip_model.embed(pixels)
    for block in clip_model.blocks:
        tokens = block(tokens)
    assert_close(clip_model.finish(tokens)[:, 0], clip_model.encode_image(pixels))


def test_the_facts_of_the_tower_come_from_its_config() -> None:
    clip_model = tiny_clip()
    assert (clip_model.patch_size, clip_model.width, clip_model.depth) == (16, 48, 4)
    assert (clip_model.num_heads, clip_model.embed_dim, clip_model.native_grid) == (3, 32, (4, 4))
    assert clip_model.logit_scale == pytest.approx(tiny_clip_weights()["logit_scale"].exp().item())


def test_patch_heads_and_a_grid_that_is_not_square_are_free() -> None:
    from open_clip.model import CLIP

    config = config_with(vision_cfg={"patch_size": 14, "head_width": 8, "image_size": (42, 56), "layers": 2})
    clip_model = CLIPBackbone.from_config(config, CLIP(**deepcopy(config)).state_dict())
    assert (clip_model.native_grid, clip_model.num_heads) == ((3, 4), 6)
    assert clip_model.embed(torch.rand(1, 3, 30, 85)).shape == (1, 1 + 3 * 7, 48)
    pixels = torch.rand(2, 3, 42, 56)
    expected = clip_model.clip_model.encode_image(clip_model.normalise(pixels))
    assert_close(clip_model.encode_image(pixels), expected, atol=1e-5, rtol=0)


def test_padding_is_black_before_normalising() -> None:
    clip_model = tiny_clip()
    pixels = torch.rand(1, 3, 60, 40)
    by_hand = F.pad(pixels, (0, 8, 0, 4))
    assert_close(clip_model.embed(pixels), clip_model.embed(by_hand))
    assert clip_model.grid(pixels) == clip_model.grid(by_hand) == (4, 3)


def test_the_position_table_stays_the_original() -> None:
    clip_model, native = tiny_clip(), torch.rand(1, 3, 64, 64)
    before = clip_model.embed(native)
    clip_model.embed(torch.rand(1, 3, 160, 96))
    assert_close(clip_model.embed(native), before, atol=0, rtol=0)
    original = tiny_clip_weights()["visual.positional_embedding"]
    assert torch.equal(clip_model.clip_model.visual.positional_embedding, original)


def test_a_batch_is_its_singles() -> None:
    clip_model, pixels = tiny_clip(), torch.rand(3, 3, 50, 80)
    singles = torch.cat([clip_model.encode_image(one[None]) for one in pixels])
    assert_close(clip_model.encode_image(pixels), singles, atol=1e-5, rtol=0)
    texts = torch.cat([clip_model.encode_text([prompt]) for prompt in PROMPTS])
    assert_close(clip_model.encode_text(PROMPTS), texts, atol=1e-6, rtol=0)


def test_text_cut_at_its_end_equals_the_whole_context() -> None:
    clip_model = tiny_clip()
    whole = clip_model.clip_model.encode_text(clip_model.tokenize(PROMPTS))
    assert_close(clip_model.text_features(PROMPTS), whole, atol=1e-6, rtol=0)
    assert_close(clip_model.encode_text(PROMPTS), F.normalize(whole, dim=-1), atol=1e-6, rtol=0)


def test_words_blocks_and_end_are_the_whole_text_tower() -> None:
    clip_model = tiny_clip()
    ids = clip_model.tokenize(PROMPTS)
    tokens = clip_model.place_words(clip_model.clip_model.token_embedding(ids))
    for block in clip_model.text_blocks:
        tokens = block(tokens, attn_mask=causal_mask(tokens))
    assert_close(clip_model.finish_text(tokens, ids.argmax(dim=1)), clip_model.text_features(PROMPTS))


def test_a_checkpoint_with_other_names_is_read_by_them() -> None:
    state = {f"old.{name}": tensor for name, tensor in tiny_clip_weights().items()}
    clip_model = CLIPBackbone.from_config(TINY_CLIP, state, file_name="old.{}".format)
    assert_close(clip_model.text_features(PROMPTS), tiny_clip().text_features(PROMPTS))


def test_a_prompt_longer_than_the_context_is_cut_and_still_ends() -> None:
    clip_model = tiny_clip()
    ids = clip_model.tokenize(["word " * 200])
    assert ids.shape == (1, 77)
    assert ids[0, -1] == ids.max()
    assert clip_model.encode_text(["word " * 200]).isfinite().all()


def test_many_prompts_come_back_in_their_order() -> None:
    clip_model = tiny_clip()
    prompts = [f"{'very ' * (index % 7)}thing {index}" for index in range(300)]  # more than one batch
    chosen = [0, 13, 255, 256, 299]
    assert_close(clip_model.encode_text(prompts)[chosen], clip_model.encode_text([prompts[i] for i in chosen]))


def test_quick_gelu_comes_from_the_config() -> None:
    pixels = torch.rand(1, 3, 64, 64)
    plain, quick = tiny_clip().encode_image(pixels), tiny_clip(quick_gelu=True).encode_image(pixels)
    assert (plain - quick).abs().max() > 1e-3


def test_mean_and_std_of_the_weights_are_used() -> None:
    cfg = {"mean": (0.5, 0.5, 0.5), "std": (0.25, 0.5, 1.0)}
    clip_model = CLIPBackbone.from_config(TINY_CLIP, tiny_clip_weights(), preprocess_cfg=cfg)
    normal = clip_model.normalise(torch.ones(1, 3, 1, 1))
    assert_close(normal.flatten(), torch.tensor([2.0, 1.0, 0.5]))


@pytest.mark.parametrize("pixels", [torch.zeros(3, 8, 8), torch.zeros(1, 4, 8, 8), torch.zeros(1, 3, 8, 8).byte()])
def test_other_pixels_are_refused(pixels: torch.Tensor) -> None:
    with pytest.raises(ShapeError, match=r"float pixels \[B, 3, H, W\]"):
        tiny_clip().embed(pixels)


def test_the_weights_id_names_config_and_every_tensor() -> None:
    weights = tiny_clip_weights()
    first = CLIPBackbone.from_config(TINY_CLIP, weights).weights_id
    assert first == CLIPBackbone.from_config(TINY_CLIP, dict(reversed(weights.items()))).weights_id
    assert first != CLIPBackbone.from_config({**TINY_CLIP, "quick_gelu": True}, weights).weights_id
    weights["visual.proj"][3, 4] += 1e-3
    assert first != CLIPBackbone.from_config(TINY_CLIP, weights).weights_id


def test_a_missing_tensor_stops_with_its_name() -> None:
    weights = tiny_clip_weights()
    del weights["visual.ln_post.bias"]
    with pytest.raises(WeightsError, match=r"1 missing \(visual\.ln_post\.bias\)"):
        CLIPBackbone.from_config(TINY_CLIP, weights)


def test_openais_three_extra_numbers_and_a_wrapped_scale_are_no_fault() -> None:
    weights = tiny_clip_weights()
    weights["logit_scale"] = weights["logit_scale"].reshape(1)
    weights["context_length"] = torch.tensor(77)
    assert CLIPBackbone.from_config(TINY_CLIP, weights).logit_scale == pytest.approx(tiny_clip().logit_scale)


def test_the_backbone_is_frozen_and_in_eval_mode_and_owns_its_weights() -> None:
    weights = tiny_clip_weights()
    clip_model = CLIPBackbone.from_config(TINY_CLIP, weights)
    assert not clip_model.training
    assert not any(parameter.requires_grad for parameter in clip_model.parameters())
    weights["visual.proj"].zero_()
    assert clip_model.clip_model.visual.proj.abs().sum() > 0


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_the_towers_follow_their_dtype(dtype: torch.dtype) -> None:
    pixels = torch.rand(1, 3, 48, 64)
    expected, expected_text = tiny_clip().encode_image(pixels), tiny_clip().encode_text(PROMPTS)
    clip_model = tiny_clip().to(dtype)
    assert clip_model.encode_image(pixels).dtype == dtype
    assert_close(clip_model.encode_image(pixels).float(), expected, atol=0.1, rtol=0.1)
    assert_close(clip_model.encode_text(PROMPTS), expected_text, atol=0.05, rtol=0.1)


def test_forward_runs_on_the_meta_device() -> None:
    clip_model = tiny_clip().to("meta")
    assert clip_model.encode_image(torch.rand(2, 3, 70, 40, device="meta")).shape == (2, 32)
    assert clip_model.encode_text(PROMPTS).device.type == "meta"


def test_gradients_flow_when_the_tower_is_thawed() -> None:
    clip_model = tiny_clip().requires_grad_(True)
    (clip_model.encode_image(torch.rand(1, 3, 64, 80)).sum() + clip_model.text_features(PROMPTS).sum()).backward()
    silent = {name for name, parameter in clip_model.named_parameters() if parameter.grad is None}
    assert silent == {"clip_model.logit_scale"}


FOREIGN = {
    "ViT-B-16-SigLIP": "timm's vit_base_patch16_siglip_224",
    "MobileCLIP-S1": "timm's fastvit_mci1",
    "PE-Core-B-16": "timm's vit_pe_core_base_patch16_224",
    "EVA02-B-16": "timm's eva02",
    "RN50": "ResNet",
    "convnext_base": "timm's convnext_base",
    "coca_ViT-B-32": "CoCa",
    "ViT-L-14-CLIPA": "no ln_pre",
    "roberta-ViT-B-32": "roberta-base",
    "ViT-H-14-worldwide": "tokenizer is facebook/xlm-v-base",
}


@pytest.mark.parametrize("name", FOREIGN)
def test_another_kind_of_tower_is_refused_and_named(name: str) -> None:
    from open_clip import get_model_config

    with pytest.raises(UsageError, match=FOREIGN[name]) as caught:
        require_plain_vit(get_model_config(name))
    assert caught.value.exit_code == 2


@pytest.mark.parametrize(
    "name", ["ViT-B-32", "ViT-B-16", "ViT-L-14", "ViT-L-14-336", "ViT-H-14", "ViT-B-16-quickgelu", "ViT-B-16-plus-240"]
)
def test_plain_towers_pass(name: str) -> None:
    from open_clip import get_model_config

    config = get_model_config(name)
    require_plain_vit(config)  # raises for others
    assert isinstance(config["vision_cfg"]["layers"], int)


def test_a_faulty_config_is_a_config_error() -> None:
    with pytest.raises(ConfigError, match="missing here: text_cfg"):
        CLIPBackbone.from_config({"embed_dim": 32, "vision_cfg": {}}, {})
    with pytest.raises(ConfigError, match="widht"):
        CLIPBackbone.from_config(config_with(vision_cfg={"widht": 3}), tiny_clip_weights())


@pytest.mark.cuda
def test_cuda_equals_cpu() -> None:
    pixels = torch.rand(2, 3, 70, 100)
    clip_model = tiny_clip()
    image, text = clip_model.encode_image(pixels), clip_model.encode_text(PROMPTS)
    clip_model = clip_model.to("cuda")
    assert_close(clip_model.encode_image(pixels.cuda()).cpu(), image, atol=1e-4, rtol=1e-4)
    assert_close(clip_model.encode_text(PROMPTS).cpu(), text, atol=1e-4, rtol=1e-4)
