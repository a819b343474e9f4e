from __future__ import annotations

import re
from typing import Any

import pytest
import torch

from densevl.backbones import SAMBackbone
from densevl.backbones.sam_models import SIZES, make_sam, sizes_of
from densevl.core.errors import ConfigError, UnknownNameError, WeightsError
from tests.tiny import TINY_SAM, tiny_sam_weights


def test_the_decoders_sizes_are_read_from_its_tensors() -> None:
    sam = make_sam(TINY_SAM, tiny_sam_weights())
    assert len(sam.mask_decoder.transformer.layers) == 1
    assert sam.mask_decoder.transformer.layers[0].mlp.lin1.out_features == 40
    assert sam.mask_decoder.iou_prediction_head.layers[0].out_features == 20
    assert sam.mask_decoder.transformer.layers[0].self_attn.num_heads == 4


def test_without_tensors_they_are_the_published_ones() -> None:
    decoder = make_sam(SIZES["vit_b"], {}, device="meta").mask_decoder.transformer
    assert (len(decoder.layers), decoder.layers[0].mlp.lin1.out_features) == (2, 2048)
    assert decoder.layers[0].self_attn.num_heads == 8


def test_the_statistics_of_pixels_are_set_and_the_callers_random_state_stays() -> None:
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    sam = make_sam(TINY_SAM, {})
    assert sam.pixel_mean.flatten().tolist() == torch.tensor([123.675, 116.28, 103.53]).tolist()
    assert torch.equal(torch.rand(1), expected)


def test_a_name_stands_for_its_sizes() -> None:
    assert sizes_of({"sam": "vit_h"})["depth"] == 32 and sizes_of(TINY_SAM) == TINY_SAM


@pytest.mark.parametrize(
    ("fault", "message"),
    [
        ({"heads": 0}, "at least 1, got {'heads': 0}"),
        ({"dim": "24"}, "whole numbers"),
        ({"depth": 3.0}, "whole numbers"),
        ({"window": True}, "whole numbers"),
        ({"heads": 5}, "dim of a SAM must be a multiple of heads, got 24 and 5"),
        ({"img": 120}, "img of a SAM must be a multiple of patch, got 120 and 16"),
        ({"global_idx": 2}, "blocks 0..2, got 2"),
        ({"global_idx": (1, 3)}, "blocks 0..2"),
        ({"global_idx": ("2",)}, "blocks 0..2"),
        ({"global_idx": (0, 1)}, "the last of 3 blocks must be global"),
        ({"out": 4}, "decoder's heads"),
        ({"out": 44}, "decoder's heads"),
    ],
    ids=str,
)
def test_impossible_sizes_are_named(fault: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(message)):
        SAMBackbone.from_config({**TINY_SAM, **fault}, tiny_sam_weights())


def test_names_and_tables_of_another_kind_are_refused() -> None:
    for cfg in ("vit_b", None, [("sam", "vit_b")]):
        with pytest.raises(ConfigError, match="a SAM config is a dict"):
            sizes_of(cfg)  # type: ignore[arg-type]
    for name in (["vit_b"], None, 7):
        with pytest.raises(UnknownNameError, match="vit_b"):
            sizes_of({"sam": name})
    for table in (torch.zeros(()), torch.zeros(3, 24), "no tensor"):
        with pytest.raises(WeightsError, match="no SAM's"):
            SAMBackbone.from_config(TINY_SAM, {"image_encoder.pos_embed": table})
