from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from densevl.backbones.sam_attention import RowAttention, run_block
from tests.tiny import tiny_sam


def plain_attention(attention: torch.nn.Module, tokens: torch.Tensor) -> torch.Tensor:
    """[B * heads, L, L] as segment_anything makes it."""
    from segment_anything.modeling.image_encoder import add_decomposed_rel_pos

    batch, height, width, _ = tokens.shape
    qkv = attention.qkv(tokens).reshape(batch, height * width, 3, attention.num_heads, -1).permute(2, 0, 3, 1, 4)
    query, key, _ = qkv.flatten(1, 2).unbind(0)
    logits = (query * attention.scale) @ key.transpose(1, 2)
    size = (height, width)
    return add_decomposed_rel_pos(logits, query, attention.rel_pos_h, attention.rel_pos_w, size, size).softmax(dim=-1)


@pytest.fixture
def tokens() -> torch.Tensor:
    return torch.randn(2, 8, 8, 24, generator=torch.Generator().manual_seed(0))


@torch.no_grad()
def test_rows_are_those_of_the_whole_matrix_cut_at_the_valid_grid(tokens: torch.Tensor) -> None:
    attention = tiny_sam().blocks[-1].attn
    whole = plain_attention(attention, tokens).view(2, 3, 8, 8, 8, 8)
    last = RowAttention.project(attention, tokens)
    assert_close(last.rows(2, 5), whole[:, :, 2:5], atol=1e-6, rtol=0)
    assert_close(last.rows(1, 3, (4, 6)), whole[:, :, 1:3, :6, :4, :6], atol=1e-6, rtol=0)
    assert_close(last.rows(3, 4).flatten(4).sum(dim=-1), torch.ones(2, 3, 1, 8), atol=1e-5, rtol=0)
    flat = torch.cat(list(last.flat_rows((4, 6))), dim=1)  # [heads, M, M]
    assert_close(flat, whole[0, :, :4, :6, :4, :6].reshape(3, 24, 24), atol=1e-6, rtol=0)


@torch.no_grad()
@pytest.mark.parametrize("place", [0, 1])
def test_a_block_equals_segment_anythings_windowed_or_global(place: int, tokens: torch.Tensor) -> None:
    block = tiny_sam().blocks[place]
    assert (block.window_size > 0) == (place == 0)
    assert_close(run_block(block, tokens), block(tokens), atol=1e-6, rtol=0)
    assert_close(run_block(block, tokens[1:]), run_block(block, tokens)[1:], atol=1e-6, rtol=0)
    assert run_block(block.double(), tokens.double()).dtype == torch.double
