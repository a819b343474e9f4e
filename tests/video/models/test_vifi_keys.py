"""The published names and what shapes say."""

from __future__ import annotations

import pytest
import torch

from densevl.core.errors import WeightsError
from tests.video.models.tiny_vifi import PROMPTS, published, token_table
from video.models.vifi_keys import (
    TOKEN_TABLE,
    check_token_table,
    clip_file_name,
    prompt_file_name,
    read_config,
    read_sizes,
    split_state,
)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("visual.transformer.resblocks.3.ln_1.weight", "image_encoder.transformer.resblocks.3.ln_1.weight"),
        ("transformer.resblocks.3.ln_1.weight", "text_encoder.transformer.resblocks.3.ln_1.weight"),
        ("visual.positional_embedding", "image_encoder.positional_embedding"),
        ("positional_embedding", "text_encoder.positional_embedding"),
        ("logit_scale", "logit_scale"),
        (TOKEN_TABLE, TOKEN_TABLE),
    ],
)
def test_open_clips_names_become_the_published_ones(name: str, expected: str) -> None:
    assert clip_file_name(name) == expected


def test_learned_tokens_have_their_published_names() -> None:
    names = [prompt_file_name(tower, index) for tower in ("text", "vision") for index in (0, 2)]
    assert names == [
        "prompt_learner.ctx",
        "text_encoder.transformer.resblocks.2.VPT_shallow",
        "image_encoder.VPT",
        "image_encoder.transformer.resblocks.2.VPT_shallow",
    ]


def test_a_wrapper_before_every_name_is_cut_and_names_are_sorted() -> None:
    plain = published(PROMPTS)
    sorted_plain = split_state(plain)
    assert sum(map(len, sorted_plain)) == len(plain)
    assert [set(part) for part in split_state({f"module.{key}": value for key, value in plain.items()})] == [
        set(part) for part in sorted_plain
    ]
    assert set(sorted_plain[2]) == {"prompt_learner.token_prefix", "prompt_learner.token_suffix"}


def test_sizes_are_read_from_shapes() -> None:
    assert read_sizes(split_state(published(PROMPTS))[1]) == PROMPTS
    assert read_sizes(split_state(published(None))[1]) is None


@pytest.mark.parametrize("gone", ["prompt_learner.ctx", "image_encoder.transformer.resblocks.1.VPT_shallow"])
def test_a_gap_in_the_learned_tokens_is_named(gone: str) -> None:
    learned = split_state(published(PROMPTS))[1]
    del learned[gone]
    with pytest.raises(WeightsError, match="not those before them"):
        read_sizes(learned)


def test_the_config_is_read_from_shapes() -> None:
    towers = split_state(published(None))[0] | {TOKEN_TABLE: torch.zeros(49408, 32)}
    config = read_config(towers, (3, 2))
    assert config["vision_cfg"] == {"image_size": 64, "patch_size": 16, "width": 48, "head_width": 16, "layers": 4}
    text = {"context_length": 77, "vocab_size": 49408, "width": 32, "heads": 2, "layers": 2}
    assert config["text_cfg"] == text
    assert (config["embed_dim"], config["quick_gelu"]) == (32, True)


def test_heads_are_one_per_64_channels_unless_given() -> None:
    towers = split_state(published(None))[0] | {TOKEN_TABLE: torch.zeros(49408, 32)}
    with pytest.raises(WeightsError, match="48 wide, which 0 heads cannot share: give num_heads"):
        read_config(towers, None)
    with pytest.raises(WeightsError, match="text tower is 32 wide, which 3 heads"):
        read_config(towers, (3, 3))
    towers["image_encoder.conv1.weight"] = torch.zeros(768, 3, 16, 16)
    towers["text_encoder.positional_embedding"] = torch.zeros(77, 512)
    config = read_config(towers, None)
    assert (config["vision_cfg"]["head_width"], config["text_cfg"]["heads"]) == (64, 8)


@pytest.mark.parametrize("gone", ["image_encoder.conv1.weight", "text_encoder.text_projection", TOKEN_TABLE])
def test_a_missing_tensor_that_tells_the_sizes_is_named(gone: str) -> None:
    towers = split_state(published(None))[0] | {TOKEN_TABLE: torch.zeros(49408, 32)}
    del towers[gone]
    told = "give token_table=" if gone == TOKEN_TABLE else "this is no checkpoint of ViFi-CLIP"
    with pytest.raises(WeightsError, match=f"{gone} is missing: {told}"):
        read_config(towers, (3, 2))


def test_a_position_table_that_is_no_square_is_refused() -> None:
    towers = split_state(published(None))[0] | {"image_encoder.positional_embedding": torch.zeros(16, 48)}
    with pytest.raises(WeightsError, match=r"16 rows, which is no 1 \+ n\*n"):
        read_config(towers, (3, 2))


def test_the_start_tokens_row_tells_token_tables_apart() -> None:
    row = token_table()[49406]
    for prompts in (None, PROMPTS):
        words = split_state(published(prompts))[2]
        check_token_table({name: tensor.half() for name, tensor in words.items()}, row)
        for other in (row + 0.1, row[:-1]):
            with pytest.raises(WeightsError, match="not that of the CLIP"):
                check_token_table(words, other)
    check_token_table({}, row)
