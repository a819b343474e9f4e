from __future__ import annotations

import pytest
import torch
from torch.testing import assert_close

from densevl.backbones.sam_walks import RecentWalks
from tests.tiny import tiny_sam


class Walks:
    """Counts."""

    def __init__(self) -> None:
        self.count, self.recent = 0, RecentWalks()

    def get(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.recent.get(pixels, self._walk)

    def _walk(self, pixels: torch.Tensor) -> torch.Tensor:
        self.count += 1
        return pixels * 2


def test_the_same_picture_is_walked_once() -> None:
    walks, pixels = Walks(), torch.rand(1, 3, 4, 5)
    first, second = walks.get(pixels), walks.get(pixels.clone())
    assert walks.count == 1 and first is second


def test_one_other_bit_is_another_picture() -> None:
    walks, pixels = Walks(), torch.rand(1, 3, 4, 5)
    walks.get(pixels)
    pixels[0, 0, 0, 0] += 0.5  # also where the caller's own tensor is written into
    assert_close(walks.get(pixels), pixels * 2)
    assert walks.count == 2


def test_the_pictures_of_a_small_group_are_kept_and_older_ones_go() -> None:
    walks, pictures = Walks(), [torch.rand(1, 3, 4, 5) for _ in range(5)]
    for pixels in (*pictures[:4], *pictures[:4]):
        walks.get(pixels)
    assert walks.count == 4
    walks.get(pictures[4])
    walks.get(pictures[0])
    assert walks.count == 6


def test_another_precision_is_another_walk() -> None:
    walks, pixels = Walks(), torch.rand(1, 3, 4, 5)
    walks.get(pixels)
    with torch.autocast("cpu", torch.bfloat16):
        walks.get(pixels)
    assert walks.count == 2


def test_other_weights_are_walked_anew() -> None:
    sam = tiny_sam()
    pixels = torch.rand(1, 3, sam.image_size, sam.image_size, generator=torch.Generator().manual_seed(0))
    first = sam.walk(pixels)
    assert sam.walk(pixels) is first
    state = {name: tensor * 1.1 for name, tensor in sam.state_dict().items()}
    sam.load_state_dict(state)
    assert not torch.equal(sam.walk(pixels), first)
    assert sam.double().walk(pixels.double()).dtype == torch.float64


@pytest.mark.parametrize(
    "pixels",
    [torch.rand(2, 3, 4, 5), torch.empty(1, 3, 4, 5, device="meta"), torch.rand(1, 3, 4, 5, requires_grad=True)],
    ids=["batch", "meta", "gradient"],
)
def test_what_is_no_single_picture_is_not_kept(pixels: torch.Tensor) -> None:
    walks = Walks()
    walks.get(pixels)
    walks.get(pixels)
    assert walks.count == 2


def test_another_dtype_or_size_is_another_picture() -> None:
    walks = Walks()
    for pixels in (torch.zeros(1, 3, 4, 5), torch.zeros(1, 3, 4, 5).double(), torch.zeros(1, 3, 5, 4).double()):
        assert walks.get(pixels).dtype == pixels.dtype
    assert walks.count == 3


def test_the_attention_and_the_embedding_of_a_picture_share_the_encoder(monkeypatch: pytest.MonkeyPatch) -> None:
    sam, pixels, embedded = tiny_sam(), torch.rand(1, 3, 128, 90), []
    embed = sam.embed
    monkeypatch.setattr(sam, "embed", lambda pixels: embedded.append(1) or embed(pixels))
    sam.last_attention(sam.walk(pixels))
    found = sam.encode_image(pixels)
    assert len(embedded) == 1
    assert_close(found, tiny_sam().encode_image(pixels), atol=0, rtol=0)
