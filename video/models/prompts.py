"""Learned tokens beside the words and the patches: how many, how deep, and the words they stand for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from densevl.backbones import CLIPBackbone
from densevl.core.errors import UsageError, WeightsError

_INIT_STD = 0.02
_WORDS_AT_MOST = 4  # longer contexts start at random, as published


@dataclass(frozen=True)
class PromptSizes:
    """Learned tokens of both towers; a depth of 1 means at the input only, 0 none at all.

    Attributes:
        text_tokens: in place of the words before the class name, the same for all classes.
        text_depth: text blocks that see tokens of their own, the first one's being those at the input.
        vision_tokens: behind the patches.
        vision_depth: likewise, of the image tower.

    Raises:
        UsageError: tokens without depth, or depth without tokens.
    """

    text_tokens: int = 16
    text_depth: int = 9
    vision_tokens: int = 16
    vision_depth: int = 9

    def __post_init__(self) -> None:
        """Check the numbers."""
        for tokens, depth in ((self.text_tokens, self.text_depth), (self.vision_tokens, self.vision_depth)):
            if min(tokens, depth) < 0 or (tokens > 0) != (depth > 0):
                raise UsageError(f"a tower has learned tokens and a depth of at least 1, or 0 of both; got {self}")


class PromptStack(nn.Module):
    """Learned tokens of one tower: a set that enters the first block, and one more for each block that replaces them.

    Args:
        length: n, tokens of a set.
        depth: how many sets, 0 for a tower without; set i > 0 replaces the tokens before block i.
        width: D.
    """

    def __init__(self, length: int, depth: int, width: int) -> None:
        super().__init__()
        self.length = length
        sets = (nn.Parameter(torch.empty(length, width)) for _ in range(depth))
        self.sets = nn.ParameterList(nn.init.normal_(tokens, std=_INIT_STD) for tokens in sets)

    @property
    def depth(self) -> int:
        """How many sets."""
        return len(self.sets)

    def read(self, index: int, batch: int, *, rounded: bool) -> Tensor:
        """Set `index` for every row of a batch.

        Args:
            index: of the block that the tokens enter.
            batch: B.
            rounded: to half precision and back, as the published code does; gradients are rounded likewise.

        Returns:
            [B, n, D] in the parameters' dtype.
        """
        tokens = self.sets[index].expand(batch, -1, -1)  # [B, n, D]
        return tokens.half().to(tokens.dtype) if rounded else tokens

    def replace(self, tokens: Tensor, index: int, *, start: int, rounded: bool) -> Tensor:
        """Put set `index` into tokens [B, N, D], from place `start` on; they stay as they are if there is no such set.

        Args:
            tokens: [B, N, D].
            index: of the block that the tokens enter.
            start: the first place that is replaced.
            rounded: see `read`.

        Returns:
            [B, N, D].
        """
        if index >= self.depth:
            return tokens
        learned = self.read(index, len(tokens), rounded=rounded).to(tokens.dtype)
        return torch.cat([tokens[:, :start], learned, tokens[:, start + self.length :]], dim=1)


def make_stacks(clip_model: CLIPBackbone, sizes: PromptSizes | None) -> tuple[PromptStack, PromptStack]:
    """New learned tokens for the text and for the image tower; None: stacks without any.

    Raises:
        UsageError: deeper than a tower.
    """
    sizes = sizes or PromptSizes(0, 0, 0, 0)
    text_width = clip_model.clip_model.positional_embedding.shape[1]
    text = PromptStack(sizes.text_tokens, sizes.text_depth, text_width)
    vision = PromptStack(sizes.vision_tokens, sizes.vision_depth, clip_model.width)
    for name, stack, blocks in (("text", text, clip_model.text_blocks), ("vision", vision, clip_model.blocks)):
        if stack.depth > len(blocks):
            raise UsageError(f"{name}_depth={stack.depth}, but the tower has {len(blocks)} blocks: give at most that")
    return text, vision


def copy_tokens(tokens: Mapping[str, nn.Parameter], learned: Mapping[str, Tensor]) -> None:
    """Set a model's learned tokens to those of a checkpoint, by their published names.

    Raises:
        WeightsError: they are of another model.
    """
    for name, own in tokens.items():
        if learned[name].shape != own.shape:
            came, expected = list(learned[name].shape), list(own.shape)
            raise WeightsError(f"{name} is {came} in the checkpoint, the model has {expected}: it is of another model")
        own.data.copy_(learned[name])


def prompt_template(template: str, text_tokens: int) -> str:
    """The template whose words are there to be replaced by learned tokens.

    Up to four learned tokens start as the template's first words; more than four, or more than the template has words,
    start at random and stand in the places of as many "X".

    Args:
        template: such as "a photo of a {}.".
        text_tokens: how many tokens are learned.
    """
    words, _, rest = template.partition("{}")
    if text_tokens <= min(_WORDS_AT_MOST, len(words.split())):
        return template
    return f"{' '.join(['X'] * text_tokens)} {{}}{rest}"
