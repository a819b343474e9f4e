from __future__ import annotations

from pathlib import Path

import pytest
import torch
import torch.nn.functional as F
from torch.testing import assert_close
from torchvision.transforms.functional import InterpolationMode, resize

from densevl.core.errors import ShapeError, WeightsError
from densevl.refiners import FoundTeacher, found_teacher, load_found
from tests.tiny import TINY_DINO, tiny_dino

DECODER = {"weight": torch.linspace(-0.2, 0.2, 36).view(1, 36, 1, 1), "bias": torch.tensor([0.3])}


def tiny_found() -> FoundTeacher:
    return FoundTeacher.from_checkpoint({"decoder": DECODER}, tiny_dino({**TINY_DINO, "patch": 8, "native_img": 32}))


def test_it_is_one_linear_layer_on_the_last_blocks_keys() -> None:
    found, pixels = tiny_found(), torch.rand(2, 3, 40, 52)
    keys = found.dino.features(pixels, "k")
    expected = torch.sigmoid((keys * DECODER["weight"]).sum(1, keepdim=True) + 0.3)
    assert expected.shape == (2, 1, 5, 7)
    assert_close(found(pixels), expected, atol=1e-5, rtol=0)


def test_a_grid_is_reached_as_torchvision_resizes() -> None:
    found, pixels = tiny_found(), torch.rand(1, 3, 96, 160)
    for grid in ((6, 10), (12, 20), (20, 31)):
        expected = resize(found(pixels), list(grid), InterpolationMode.BILINEAR, antialias=True)
        assert_close(found(pixels, grid), expected, atol=1e-6, rtol=0)


def test_sizes_are_padded_with_black_to_whole_patches() -> None:
    found, pixels = tiny_found(), torch.rand(1, 3, 41, 63)
    assert_close(found(pixels), found(F.pad(pixels, (0, 1, 0, 7))))


def test_a_batch_is_its_singles() -> None:
    found, pixels = tiny_found(), torch.rand(3, 3, 40, 56)
    assert_close(found(pixels, (3, 4)), torch.cat([found(one[None], (3, 4)) for one in pixels]), atol=1e-5, rtol=0)


def test_the_published_file_loads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    torch.save({"decoder": DECODER}, tmp_path / "decoder_weights.pt")
    found, pixels = tiny_found(), torch.rand(1, 3, 40, 56)
    again = FoundTeacher.from_checkpoint(tmp_path / "decoder_weights.pt", found.dino)
    assert_close(again(pixels), found(pixels))
    monkeypatch.setattr(found_teacher, "load_dino", {"dino-vit-s8": found.dino}.get)
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(tmp_path))
    assert_close(load_found()(pixels), found(pixels))
    assert_close(load_found(str(tmp_path / "decoder_weights.pt"))(pixels), found(pixels))


def test_another_width_or_other_tensors_are_refused() -> None:
    with pytest.raises(WeightsError, match=r"weight \[1, 36, 1, 1\] and bias \[1\], got \[1, 384, 1, 1\]"):
        FoundTeacher(tiny_dino(), torch.zeros(1, 384, 1, 1), torch.zeros(1))
    with pytest.raises(WeightsError, match="holds weight: FOUND's decoder"):
        FoundTeacher.from_checkpoint({"decoder": {"weight": DECODER["weight"]}}, tiny_dino())


def test_other_pixels_are_refused() -> None:
    with pytest.raises(ShapeError):
        tiny_found()(torch.rand(3, 40, 40))


def test_the_teacher_owns_its_weights_learns_nothing_and_moves_with_its_dtype() -> None:
    weight = DECODER["weight"].clone()
    found, pixels = FoundTeacher(tiny_dino(), weight, DECODER["bias"]), torch.rand(1, 3, 32, 48)
    expected = found(pixels)
    weight.zero_()
    assert_close(found(pixels), expected)
    assert not any(parameter.requires_grad for parameter in found.parameters())
    assert_close(found.bfloat16()(pixels).float(), expected, atol=0.1, rtol=0)
    assert found.to("meta")(torch.rand(2, 3, 33, 48, device="meta"), (5, 6)).shape == (2, 1, 5, 6)
