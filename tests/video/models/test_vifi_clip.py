"""ViFi-CLIP: features, logits, what trains, what is saved and what is refused."""

from __future__ import annotations

from copy import deepcopy

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close

from densevl.core.errors import ShapeError, UnknownNameError, UsageError, WeightsError
from tests.tiny import tiny_clip, tiny_clip_weights
from tests.video.models.tiny_vifi import HEADS, NAMES, PROMPTS, published, tiny_video, tiny_vifi, token_table
from video.models import PromptSizes, ViFiCLIP
from video.transforms import normalize

BOTH = pytest.mark.parametrize("prompts", [None, PROMPTS, PromptSizes(2, 1, 0, 0)], ids=["tuned", "prompts", "text"])


def rebuilt(state: dict[str, torch.Tensor], names: tuple[str, ...] = NAMES, **options) -> ViFiCLIP:
    return ViFiCLIP.from_state_dict(state, names, **{"token_table": token_table(), "num_heads": HEADS, **options})


def test_logits_are_scaled_cosines_of_the_mean_frame_and_the_words() -> None:
    model, clip_model, video = tiny_vifi(), tiny_clip(quick_gelu=True), tiny_video()
    pixels = normalize(video * 255, "imagenet").flatten(0, 1)
    frames = clip_model.clip_model.encode_image(pixels).unflatten(0, (2, 3))
    words = clip_model.text_features([f"a photo of a {name}." for name in NAMES])
    expected = clip_model.logit_scale * F.normalize(frames.mean(1), dim=-1) @ F.normalize(words, dim=-1).T
    assert_close(model.frame_features(video), frames, atol=1e-5, rtol=0)
    assert_close(model.text_features(), words, atol=1e-5, rtol=0)
    assert_close(model(video), expected, atol=1e-5, rtol=0)


def test_learned_tokens_by_hand() -> None:
    model, video = tiny_vifi(PROMPTS, round_prompts=False), tiny_video(1, 1)
    clip_model = model.clip_model
    visual, text = clip_model.clip_model.visual, clip_model.clip_model
    tokens = torch.cat([clip_model.embed(video[0]), visual.ln_pre(model.vision_prompts.sets[0])[None]], dim=1)
    for index, block in enumerate(clip_model.blocks):
        if index in (1, 2):
            tokens = torch.cat([tokens[:, :-3], model.vision_prompts.sets[index][None]], dim=1)
        tokens = block(tokens)
    assert tokens.shape == (1, 1 + 16 + 3, 48)
    assert_close(model.frame_features(video)[0], clip_model.finish(tokens[:, 0]))
    ids = clip_model.tokenize(["X X X X X playing guitar."])
    words = text.token_embedding(ids)
    words = torch.cat([words[:, :1], model.text_prompts.sets[0][None], words[:, 6:]], dim=1) + text.positional_embedding
    words = text.transformer.resblocks[0](words, attn_mask=text.attn_mask)
    words = torch.cat([words[:, :1], model.text_prompts.sets[1][None], words[:, 6:]], dim=1)
    words = text.transformer.resblocks[1](words, attn_mask=text.attn_mask)
    expected = text.ln_final(words[0, ids.argmax()]) @ text.text_projection
    assert_close(model.text_features()[1], expected, atol=1e-6, rtol=1e-5)


@BOTH
def test_a_batch_is_its_singles(prompts: PromptSizes | None) -> None:
    model, video = tiny_vifi(prompts), tiny_video(3)
    assert_close(model(video), torch.cat([model(clip[None]) for clip in video]), atol=1e-5, rtol=0)
    frames = torch.cat([model.frame_features(video[:, t : t + 1]) for t in range(3)], dim=1)
    assert_close(model.frame_features(video), frames, atol=1e-5, rtol=0)
    texts = torch.cat([model.text_features([name]) for name in NAMES])
    assert_close(model.text_features(), texts, atol=1e-5, rtol=0)


@BOTH
def test_it_runs_on_the_meta_device(prompts: PromptSizes | None) -> None:
    model = tiny_vifi(prompts).to("meta")
    logits = model(torch.rand(2, 3, 3, 64, 64, device="meta"))
    assert (logits.device.type, logits.shape) == ("meta", (2, 3))
    assert model.text_bank(["a", "b"]).vectors.shape == (2, 32)


@BOTH
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_its_precision_is_kept(prompts: PromptSizes | None, dtype: torch.dtype) -> None:
    model, video = tiny_vifi(prompts).to(dtype), tiny_video()
    assert model(video.to(dtype)).dtype == dtype
    tolerance = 0.5 if dtype == torch.bfloat16 else 1e-3
    assert_close(model(video.to(dtype)).float(), tiny_vifi(prompts)(video), atol=tolerance, rtol=0)


def test_it_is_made_where_its_clip_is() -> None:
    for prompts in (PROMPTS, PromptSizes(3, 1, 1, 1)):
        model = ViFiCLIP(tiny_clip().to("meta"), NAMES, prompts=prompts)
        tensors = [*model.parameters(), *model.buffers()]
        assert {tensor.device.type for tensor in tensors} == {"meta"}


def test_autocast_gives_the_same_within_its_precision() -> None:
    model, video = tiny_vifi(PROMPTS), tiny_video()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(video)
    assert_close(logits.float(), model(video), atol=0.2, rtol=0)


def test_rounding_moves_the_logits_a_little_and_can_be_left_out() -> None:
    exact, rounded, video = tiny_vifi(PROMPTS, round_prompts=False), tiny_vifi(PROMPTS), tiny_video()
    assert 0 < (exact(video) - rounded(video)).abs().max() < 1e-2
    for stack in (rounded.vision_prompts, rounded.text_prompts):
        for index, tokens in enumerate(stack.sets):
            if index or stack is rounded.vision_prompts:  # the first ones of the text are never rounded
                tokens.data = tokens.data.half().float()
    exact.load_state_dict(rounded.state_dict())
    assert torch.equal(exact(video), rounded(video))


def test_pixels_are_normalised_once_and_as_asked() -> None:
    video = tiny_video()
    for name in ("imagenet", "clip"):
        ready = normalize(video * 255, name)
        expected = tiny_vifi(normalization=None)(ready)
        assert_close(tiny_vifi(normalization=name)(video), expected, atol=1e-4, rtol=0)
    with pytest.raises(UnknownNameError, match="normalisation"):
        tiny_vifi(normalization="image-net")


def test_other_words_are_scored_on_demand() -> None:
    model, video = tiny_vifi(), tiny_video()
    bank = model.text_bank(["zumba", "abseiling"])
    assert bank.class_names == ("zumba", "abseiling")
    assert_close(model(video, bank), model(video)[:, [2, 0]])
    bare = ViFiCLIP(tiny_clip(quick_gelu=True))
    assert_close(bare(video, bare.text_bank(NAMES)), model(video))
    for call in (bare.text_bank, lambda: model.text_bank([])):
        with pytest.raises(UsageError, match="no class names"):
            call()


def test_a_kept_bank_gives_the_same_logits() -> None:
    model, video = tiny_vifi(PROMPTS), tiny_video()
    with torch.no_grad():
        bank = model.text_bank()
    assert torch.equal(model(video, bank), model(video))


@pytest.mark.parametrize("shape", [(3, 3, 64, 64), (1, 0, 3, 64, 64), (1, 2, 4, 64, 64)])
def test_other_videos_are_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(ShapeError, match=r"\[B, (T, )?3, H, W\]"):
        tiny_vifi()(torch.zeros(shape))
    with pytest.raises(ShapeError, match="float"):
        tiny_vifi()(torch.zeros(1, 2, 3, 64, 64, dtype=torch.uint8))


@pytest.mark.parametrize(
    ("trained", "prompts", "expected"),
    [
        (None, None, ("logit_scale", "image_encoder.", "text_encoder.")),
        ("both", PROMPTS, ("logit_scale", "image_encoder.", "text_encoder.", "prompt_learner.ctx")),
        ("image", None, ("image_encoder.",)),
        ("text", None, ("text_encoder.",)),
        ("image", PROMPTS, ("image_encoder.",)),
        (None, PROMPTS, ()),
        ("prompts", PROMPTS, ()),
    ],
)
def test_exactly_the_parts_asked_for_get_gradients(
    trained: str | None, prompts: PromptSizes | None, expected: tuple[str, ...]
) -> None:
    model = tiny_vifi(prompts, trained=trained)
    model(tiny_video()).square().sum().backward()
    found = {name for name, tensor in model.published_parameters().items() if tensor.grad is not None}
    if expected:
        assert found == {name for name in published(prompts) if name.startswith(expected)}
    else:
        assert found == {
            "prompt_learner.ctx",
            "text_encoder.transformer.resblocks.1.VPT_shallow",
            "image_encoder.VPT",
            *(f"image_encoder.transformer.resblocks.{index}.VPT_shallow" for index in (1, 2)),
        }
    assert found == {name for name, tensor in model.published_parameters().items() if tensor.requires_grad}
    assert sum(tensor.requires_grad for tensor in model.parameters()) == len(found)
    assert not model.clip_model.clip_model.token_embedding.weight.requires_grad
    assert model.trains_text == any(name.startswith(("text_encoder.", "prompt_learner.")) for name in found)


def test_parts_that_are_not_there_are_refused() -> None:
    with pytest.raises(UnknownNameError, match="part to train"):
        tiny_vifi(trained="vision")
    with pytest.raises(UsageError, match="needs learned tokens"):
        tiny_vifi(trained="prompts")


@BOTH
@pytest.mark.parametrize("prefix", ["", "module."])
def test_a_published_checkpoint_comes_back_as_it_was(prompts: PromptSizes | None, prefix: str) -> None:
    model, video = tiny_vifi(prompts), tiny_video()
    again = rebuilt({prefix + name: tensor for name, tensor in model.to_state_dict().items()})
    assert torch.equal(again(video), model(video))
    saved, before = again.to_state_dict(), model.to_state_dict()
    assert list(saved) == list(before)
    assert all(torch.equal(saved[name], before[name]) for name in before)
    assert not any("token_embedding" in name for name in saved)


def test_what_is_saved_is_a_copy() -> None:
    model = tiny_vifi()
    saved = model.to_state_dict()
    saved["logit_scale"].add_(1)
    assert not torch.equal(saved["logit_scale"], model.clip_model.clip_model.logit_scale)
    assert not any(tensor.requires_grad for tensor in saved.values())


def test_the_checkpoint_has_the_published_wrappers() -> None:
    content = tiny_vifi().to_checkpoint(7)
    assert content["epoch"] == 7
    assert set(content["model"]) == {f"module.{name}" for name in published()}


def test_the_embedded_class_names_are_the_whole_context() -> None:
    words = published()["prompt_learner.complete_text_embeddings"]
    ids = tiny_clip().tokenize([f"a photo of a {name}." for name in NAMES])
    assert torch.equal(words, token_table()[ids])
    split = published(PROMPTS)
    prefix, suffix = split["prompt_learner.token_prefix"], split["prompt_learner.token_suffix"]
    assert (prefix.shape, suffix.shape) == ((3, 1, 32), (3, 77 - 1 - 5, 32))
    assert "prompt_learner.complete_text_embeddings" not in ViFiCLIP(tiny_clip()).to_state_dict()


def test_the_class_names_of_a_checkpoint_are_dropped_for_other_ones(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        model = rebuilt(published(), ("swimming", "running"))
    assert "the names of its 3 classes are dropped" in caplog.text
    assert model(tiny_video()).shape == (2, 2)
    assert rebuilt(published(), ()).token_ids.shape == (0, 0)


def test_a_checkpoint_without_class_names_is_whole() -> None:
    state = {name: tensor for name, tensor in published(PROMPTS).items() if "token_" not in name}
    assert torch.equal(rebuilt(state)(tiny_video()), tiny_vifi(PROMPTS)(tiny_video()))


def test_the_token_table_may_stand_in_the_checkpoint() -> None:
    state = published() | {"token_embedding.weight": token_table()}
    model = rebuilt(state, token_table=None)
    assert torch.equal(model(tiny_video()), tiny_vifi()(tiny_video()))
    with pytest.raises(WeightsError, match=r"token_embedding\.weight is missing"):
        rebuilt(published(), token_table=None)


def test_the_token_table_of_another_clip_is_noticed() -> None:
    other = tiny_clip_weights(seed=1)["token_embedding.weight"]
    for prompts in (None, PROMPTS):
        with pytest.raises(WeightsError, match="token table is not that of the CLIP"):
            rebuilt(published(prompts), token_table=other)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (
            lambda state: state.pop("image_encoder.ln_post.weight"),
            r"1 missing \(image_encoder\.ln_post\.weight\), 0 ex",
        ),
        (lambda state: state.pop("text_encoder.ln_final.bias"), r"1 missing \(text_encoder\.ln_final\.bias\)"),
        (lambda state: state.update({"mit.ln.weight": torch.zeros(3)}), r"0 missing, 1 extra \(mit\.ln\.weight\)"),
        (lambda state: state.update({"image_encoder.proj": torch.zeros(48, 8)}), r"image_encoder\.proj is \[48, 8\]"),
        (lambda state: state.update({"image_encoder.VPT": torch.zeros(3, 40)}), r"image_encoder\.VPT is \[3, 40\]"),
    ],
)
def test_tensors_that_do_not_fit_are_named_as_published(spoil, message: str) -> None:
    state = published(PROMPTS)
    spoil(state)
    with pytest.raises(WeightsError, match=message):
        rebuilt(state)


def test_a_checkpoint_of_another_model_is_refused() -> None:
    with pytest.raises(WeightsError, match="no checkpoint of ViFi-CLIP"):
        rebuilt(tiny_clip_weights())
    with pytest.raises(WeightsError, match="no checkpoint of ViFi-CLIP"):
        rebuilt({})


def test_learned_tokens_can_be_added_to_a_fine_tuned_checkpoint_but_not_resized() -> None:
    model = rebuilt(published(), prompts=PROMPTS)
    assert set(model.to_state_dict()) == set(published(PROMPTS))
    assert [tensor.requires_grad for tensor in model.clip_model.parameters()].count(True) == 0
    with pytest.raises(WeightsError, match="leave prompts out"):
        rebuilt(published(PROMPTS), prompts=PromptSizes(1, 1, 1, 1))
    assert torch.equal(rebuilt(published(PROMPTS), prompts=PROMPTS)(tiny_video()), tiny_vifi(PROMPTS)(tiny_video()))


def test_short_contexts_start_as_the_words_they_replace() -> None:
    model = tiny_vifi(PromptSizes(3, 1, 0, 0))
    ids = model.clip_model.tokenize(["a photo of"])[0, 1:4]
    assert torch.equal(model.text_prompts.sets[0], token_table()[ids])
    plain = tiny_vifi(template="a photo of a {}.").text_features([name.replace("_", " ") for name in NAMES])
    assert_close(model.text_features(), plain, atol=1e-6, rtol=0)
    assert tiny_vifi(PROMPTS).text_prompts.sets[0].abs().max() < 0.2


def test_underscores_in_names_stay_in_fine_tuning_and_are_blanks_beside_learned_tokens() -> None:
    for prompts, same in ((None, False), (PROMPTS, True)):
        model = tiny_vifi(prompts)
        first, second = model.text_features(["playing_guitar", "playing guitar"])
        assert torch.allclose(first, second) == same


def test_faulty_templates_and_contexts_are_refused() -> None:
    for template in ("a photo", "{} and {}"):
        with pytest.raises(UsageError, match="a template has one"):
            tiny_vifi(template=template)
    with pytest.raises(UsageError, match="leave no room"):
        tiny_vifi(PromptSizes(76, 1, 0, 0))


def test_a_copy_is_a_model_of_its_own() -> None:
    model, video = tiny_vifi(PROMPTS), tiny_video()
    copy, before = deepcopy(model), model(video)
    for tensor in copy.parameters():
        tensor.data.zero_()
    assert torch.equal(model(video), before)


def test_the_state_of_a_run_comes_back_exactly() -> None:
    model, other, video = tiny_vifi(PROMPTS), ViFiCLIP(tiny_clip(1), NAMES, prompts=PROMPTS), tiny_video()
    assert not torch.allclose(other.vision_prompts.sets[0], model.vision_prompts.sets[0])
    other.load_state_dict(model.state_dict())
    for mine, theirs in zip(model.parameters(), other.parameters(), strict=True):
        assert torch.equal(mine, theirs)
    assert other(video).isfinite().all()


def test_learned_tokens_without_rows_and_a_missing_token_table_are_named() -> None:
    state = published(PROMPTS)
    state["prompt_learner.ctx"] = torch.tensor(1.0)
    with pytest.raises(WeightsError, match=r"prompt_learner\.ctx has the shape \[\]"):
        rebuilt(state)
    with pytest.raises(WeightsError, match="give token_table="):
        rebuilt(published(), token_table=None)


def test_layers_go_from_the_input_to_the_output_and_hold_what_is_trained_once() -> None:
    model = tiny_vifi()
    layers = model.layers()
    assert len(layers) == 6  # before the four blocks, the blocks, behind them
    listed = [id(parameter) for layer in layers for parameter in layer]
    assert sorted(listed) == sorted(id(p) for p in model.parameters() if p.requires_grad)
    by_id = {id(parameter): name for name, parameter in model.published_parameters().items()}
    assert {"image_encoder.conv1.weight", "text_encoder.positional_embedding"} <= {by_id[id(p)] for p in layers[0]}
    assert all("resblocks.2." in by_id[id(p)] for p in layers[3])
    assert {"logit_scale", "image_encoder.proj", "text_encoder.ln_final.bias"} <= {by_id[id(p)] for p in layers[-1]}
    assert [len(layer) > 0 for layer in tiny_vifi(PROMPTS).layers()] == [True, False, True, True, False, False]


def test_other_class_names_are_taken_for_training() -> None:
    model = tiny_vifi()
    model.name_classes(("running", "cooking"))
    assert model(tiny_video()).shape == (2, 2) and model.class_names == ("running", "cooking")
    assert_close(model.text_bank().vectors, tiny_vifi().text_bank(("running", "cooking")).vectors)
