"""The teachers' answers, and where they are kept."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from densevl.core.errors import ConfigError
from densevl.refiners import FoundTeacher
from densevl.tasks.dinoiser_teachers import DINOiserTeachers
from tests.tiny import TINY_DINO, tiny_dino

GRID = (4, 6)


def make_teachers(cache: Path | None = None, **options: float) -> DINOiserTeachers:
    found = tiny_dino({**TINY_DINO, "patch": 8})
    weight = torch.randn(1, found.embed_dim, 1, 1, generator=torch.Generator().manual_seed(0))
    return DINOiserTeachers(tiny_dino(), FoundTeacher(found, weight, torch.zeros(1)), cache=cache, **options)


def make_pixels(seed: int = 1) -> torch.Tensor:
    return torch.rand(2, 3, 64, 96, generator=torch.Generator().manual_seed(seed))


def test_pairs_are_symmetric_and_every_patch_goes_with_itself() -> None:
    pairs, objects = make_teachers()(make_pixels(), GRID)
    assert pairs.shape == (2, 24, 24) and objects.shape == (2, 1, 4, 6)
    torch.testing.assert_close(pairs, pairs.transpose(1, 2))
    assert (pairs.diagonal(dim1=1, dim2=2) == 1).all()
    assert set(pairs.unique().tolist()) == {0.0, 1.0} and set(objects.unique().tolist()) <= {0.0, 1.0}


def test_kept_answers_are_the_same_and_ask_no_teacher(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teachers, plain = make_teachers(tmp_path), make_teachers()
    expected = plain(make_pixels(), GRID)
    for _ in range(2):
        for kept, answer in zip(teachers(make_pixels(), GRID), expected, strict=True):
            torch.testing.assert_close(kept, answer, atol=0, rtol=0)
        monkeypatch.setattr(teachers, "_ask", None)  # the second time nobody is asked
    assert len(list(tmp_path.iterdir())) == 2  # a file a crop


def test_crops_are_known_in_every_batch_and_only_new_ones_are_asked_about(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    teachers, pixels = make_teachers(tmp_path), torch.cat([make_pixels(), make_pixels(seed=2)])
    expected = make_teachers()(pixels, GRID)
    teachers(pixels[2:3], GRID)
    asked: list[int] = []
    ask = teachers._ask
    monkeypatch.setattr(teachers, "_ask", lambda crops, grid: asked.append(len(crops)) or ask(crops, grid))
    for part in (pixels[1:], pixels):
        found = teachers(part, GRID)
    assert asked == [2, 1]
    for kept, answer in zip(found, expected, strict=True):
        assert torch.equal(kept, answer)


def test_other_pixels_thresholds_or_weights_are_asked_anew(tmp_path: Path) -> None:
    make_teachers(tmp_path)(make_pixels(), GRID)
    make_teachers(tmp_path)(make_pixels(seed=2), GRID)
    make_teachers(tmp_path, threshold=0.5)(make_pixels(), GRID)
    other = make_teachers(tmp_path)
    with torch.no_grad():
        other.found.decoder_bias += 1
    other(make_pixels(), GRID)
    assert len(list(tmp_path.iterdir())) == 8


def test_a_damaged_answer_is_asked_again(tmp_path: Path) -> None:
    expected = make_teachers(tmp_path)(make_pixels(), GRID)
    kept, _ = tmp_path.iterdir()
    for damage in (b"", kept.read_bytes()[:50]):
        kept.write_bytes(damage)
        for again, answer in zip(make_teachers(tmp_path)(make_pixels(), GRID), expected, strict=True):
            torch.testing.assert_close(again, answer, atol=0, rtol=0)


def test_answers_are_those_of_fp32_in_every_precision_and_of_one_grid(tmp_path: Path) -> None:
    expected = make_teachers()(make_pixels(), GRID)
    with torch.autocast("cpu", torch.bfloat16):
        found = make_teachers(tmp_path)(make_pixels(), GRID)
    for answer, other in zip(found, expected, strict=True):
        assert torch.equal(answer, other)
    with pytest.raises(ConfigError, match="grid"):  # what is kept for 4x6 does not answer this
        make_teachers(tmp_path)(make_pixels(), (2, 3))


def test_the_cache_stops_growing_at_its_bound_and_keeps_the_first(tmp_path: Path) -> None:
    bounded = make_teachers(tmp_path, cache_bytes=1)
    bounded(make_pixels(), GRID)
    (first,) = tmp_path.iterdir()
    for teachers in (bounded, make_teachers(tmp_path, cache_bytes=1)):  # a new run counts what is there
        teachers(make_pixels(seed=2), GRID)
        assert list(tmp_path.iterdir()) == [first]
