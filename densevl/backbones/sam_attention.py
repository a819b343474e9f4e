"""SAM's global attention by rows of queries: the matrix of all heads, 0.8 GB for vit_b, is never whole."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from einops import rearrange
from torch import Tensor

if TYPE_CHECKING:
    from segment_anything.modeling.image_encoder import Attention, Block


@dataclass(frozen=True, eq=False)
class RowAttention:
    """One attention over a grid of tokens, position relative to the query included.

    Attributes:
        query: [B, heads, h, w, d].
        key: [B, heads, h, w, d].
        values: [B, heads, h, w, d].
        rel_rows: [h, h, d], one vector for each row of a query and row of a key.
        rel_cols: [w, w, d], likewise.
    """

    query: Tensor
    key: Tensor
    values: Tensor
    rel_rows: Tensor
    rel_cols: Tensor

    @classmethod
    def project(cls, attention: Attention, tokens: Tensor) -> RowAttention:
        """From segment_anything's attention and its normed input [B, h, w, D]."""
        qkv = rearrange(
            attention.qkv(tokens), "b h w (part heads d) -> part b heads h w d", part=3, heads=attention.num_heads
        )
        height, width = tokens.shape[1:3]
        return cls(*qkv, _relative(attention.rel_pos_h, height), _relative(attention.rel_pos_w, width))

    def rows(self, start: int, stop: int, valid: tuple[int, int] | None = None) -> Tensor:
        """What the queries of some rows see, a softmax over all keys.

        Args:
            start: first row of the grid.
            stop: the row behind the last.
            valid: (h', w') of the grid that is no padding; only these queries and keys are given.

        Returns:
            [B, heads, n, w', h', w'], queries first; rows sum to 1 where all is valid.
        """
        height, width = valid or self.key.shape[2:4]
        query = self.query[:, :, start:stop, :width]  # [B, heads, n, w', d]
        scaled = rearrange(query * query.shape[-1] ** -0.5, "b heads n w d -> b heads (n w) d")
        logits = scaled @ rearrange(self.key, "b heads h w d -> b heads d (h w)")  # [B, heads, n*w, h*w]
        logits = rearrange(logits, "b heads (n v) (h w) -> b heads n v h w", n=query.shape[2], h=self.key.shape[2])
        logits += (query @ self.rel_rows[start:stop].transpose(1, 2))[..., None]
        logits += torch.einsum("bnhwd,wkd->bnhwk", query, self.rel_cols[:width])[..., None, :]
        return logits.flatten(4).softmax(dim=-1).view(logits.shape)[..., :height, :width]

    def flat_rows(self, valid: tuple[int, int] | None = None) -> Iterator[Tensor]:
        """What a picture's queries see, the first of the batch: [heads, w', h'*w'], one row of the grid at a time."""
        for row in range((valid or self.key.shape[2:4])[0]):
            yield self.rows(row, row + 1, valid).flatten(4).squeeze(2)[0]

    def attend(self) -> Tensor:
        """All queries over all values: [B, h, w, heads*d], before the output projection."""
        attended = torch.empty_like(self.values)
        values = self.values.flatten(2, 3)  # [B, heads, h*w, d]
        for row in range(attended.shape[2]):
            attended[:, :, row] = self.rows(row, row + 1).flatten(4).squeeze(2) @ values
        return rearrange(attended, "b heads h w d -> b h w (heads d)")


def run_block(block: Block, tokens: Tensor) -> Tensor:
    """One block of SAM's encoder, [B, h, w, D] -> the same shape; equal to calling it, with less memory."""
    if block.window_size > 0:
        return block(tokens)
    attended = RowAttention.project(block.attn, block.norm1(tokens)).attend()
    tokens = tokens + block.attn.proj(attended)
    return tokens + block.mlp(block.norm2(tokens))


def _relative(table: Tensor, length: int) -> Tensor:
    """Table [2*length - 1, d] by distance -> [length, length, d] by query and key."""
    places = torch.arange(length, device=table.device)
    return table[places[:, None] - places[None] + length - 1]
