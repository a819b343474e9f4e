from __future__ import annotations

import torch

from densevl.backbones.sam_models import SIZES, make_sam, sizes_of
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
