"""Learned tokens."""

from __future__ import annotations

import pytest
import torch

from densevl.core.errors import UsageError, WeightsError
from tests.tiny import tiny_clip
from video.models.prompts import PromptSizes, PromptStack, copy_tokens, make_stacks, prompt_template


@pytest.mark.parametrize("sizes", [(2, 0, 0, 0), (0, 1, 0, 0), (1, 1, 3, 0), (-1, -1, 0, 0)])
def test_tokens_without_depth_are_refused(sizes: tuple[int, ...]) -> None:
    with pytest.raises(UsageError, match="at least 1, or 0 of both"):
        PromptSizes(*sizes)


def test_a_stack_starts_small_and_random() -> None:
    sets = torch.stack(list(PromptStack(40, 3, 50).sets))
    assert sets.shape == (3, 40, 50)
    assert abs(sets.mean()) < 2e-3
    assert abs(sets.std() - 0.02) < 2e-3


def test_a_set_replaces_its_places_and_nothing_else() -> None:
    stack, tokens = PromptStack(2, 2, 4), torch.rand(3, 6, 4)
    before = tokens.clone()
    replaced = stack.replace(tokens, 1, start=1, rounded=False)
    assert torch.equal(tokens, before)
    assert torch.equal(replaced[:, 1:3], stack.sets[1].expand(3, -1, -1))
    assert torch.equal(replaced[:, :1], tokens[:, :1])
    assert torch.equal(replaced[:, 3:], tokens[:, 3:])


def test_a_block_without_a_set_keeps_its_tokens() -> None:
    tokens = torch.rand(1, 6, 4)
    assert PromptStack(2, 2, 4).replace(tokens, 2, start=1, rounded=False) is tokens
    assert PromptStack(0, 0, 4).replace(tokens, 0, start=6, rounded=True) is tokens


def test_rounding_is_to_half_precision_in_the_same_dtype_and_passes_gradients() -> None:
    stack = PromptStack(2, 1, 4)
    exact, rounded = stack.read(0, 3, rounded=False), stack.read(0, 3, rounded=True)
    assert rounded.dtype == exact.dtype == torch.float32
    assert torch.equal(rounded, exact.half().float())
    assert not torch.equal(rounded, exact)
    rounded.sum().backward()
    assert torch.equal(stack.sets[0].grad, torch.full((2, 4), 3.0))


def test_tokens_keep_their_dtype() -> None:
    tokens = torch.rand(1, 6, 4, dtype=torch.bfloat16)
    assert PromptStack(2, 1, 4).replace(tokens, 0, start=1, rounded=True).dtype == torch.bfloat16


def test_stacks_fit_their_towers() -> None:
    text, vision = make_stacks(tiny_clip(), PromptSizes(3, 2, 5, 4))
    assert [tuple(tokens.shape) for tokens in text.sets] == [(3, 32)] * 2
    assert [tuple(tokens.shape) for tokens in vision.sets] == [(5, 48)] * 4
    assert [stack.depth for stack in make_stacks(tiny_clip(), None)] == [0, 0]


@pytest.mark.parametrize(("sizes", "tower"), [((1, 3, 1, 1), "text_depth=3"), ((1, 1, 1, 5), "vision_depth=5")])
def test_more_depth_than_blocks_is_refused(sizes: tuple[int, ...], tower: str) -> None:
    with pytest.raises(UsageError, match=tower):
        make_stacks(tiny_clip(), PromptSizes(*sizes))


@pytest.mark.parametrize(
    ("template", "tokens", "expected"),
    [
        ("a photo of a {}.", 4, "a photo of a {}."),
        ("a photo of a {}.", 2, "a photo of a {}."),
        ("a photo of a {}.", 5, "X X X X X {}."),
        ("video of {}", 3, "X X X {}"),
        ("{}.", 2, "X X {}."),
        ("{}", 0, "{}"),
    ],
)
def test_learned_tokens_stand_for_words_or_for_as_many_x(template: str, tokens: int, expected: str) -> None:
    assert prompt_template(template, tokens) == expected


def test_tokens_of_a_checkpoint_are_copied_and_those_of_another_model_refused() -> None:
    own = {"ctx": torch.nn.Parameter(torch.zeros(2, 3))}
    copy_tokens(own, {"ctx": torch.ones(2, 3)})
    assert own["ctx"].requires_grad and own["ctx"].eq(1).all()
    with pytest.raises(WeightsError, match=r"ctx is \[4, 3\] in the checkpoint, the model has \[2, 3\]"):
        copy_tokens(own, {"ctx": torch.ones(4, 3)})
