"""Training crops: every draw known from (seed, epoch, place)."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from densevl.core.errors import PictureError, SourceError, UsageError
from densevl.data.crops import CropRule, TrainingCrops
from densevl.data.loader import BatchOrder

RULE = CropRule(size=16)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("pictures")
    generator = np.random.default_rng(0)
    for number in range(7):
        path = root / f"class{number % 2}" / f"{number}.png"
        path.parent.mkdir(exist_ok=True)
        Image.fromarray(generator.integers(0, 256, (20 + number, 40, 3), dtype=np.uint8)).save(path)
    return root


def take(crops: TrainingCrops, start: int, count: int, workers: int = 0) -> list[torch.Tensor]:
    order = BatchOrder(len(crops), 3, crops.seed, start)
    return [part.items for part in islice(crops.batches(order, workers=workers), count)]


def test_batches_are_the_same_from_any_start_and_with_any_workers(folder: Path) -> None:
    crops = TrainingCrops(folder, rule=RULE, seed=3)
    whole = take(crops, 0, 8)
    assert [len(batch) for batch in whole] == [3, 3, 1, 3, 3, 1, 3, 3]
    for batch, again in zip(whole[4:], take(crops, 4, 4), strict=True):
        assert torch.equal(batch, again)
    for batch, again in zip(whole, take(crops, 0, 8, workers=2), strict=True):
        assert torch.equal(batch, again)


def test_reading_batches_moves_nobody_elses_generator(folder: Path) -> None:
    before = torch.get_rng_state(), np.random.get_state()[1].tolist()
    take(TrainingCrops(folder, rule=RULE), 0, 4)
    assert torch.equal(torch.get_rng_state(), before[0]) and np.random.get_state()[1].tolist() == before[1]


def test_epochs_seeds_and_places_draw_differently(folder: Path) -> None:
    crops = TrainingCrops(folder, rule=RULE, seed=3)
    assert not torch.equal(crops[0, 2], crops[1, 2])
    assert not torch.equal(crops[0, 2], TrainingCrops(folder, rule=RULE, seed=4)[0, 2])
    assert torch.equal(crops[0, 2], crops[0, 2])


def test_a_subset_is_drawn_with_replacement_as_published(folder: Path) -> None:
    crops = TrainingCrops(folder, rule=RULE, subset=20, seed=5)
    paths = TrainingCrops(folder, rule=RULE).paths
    assert crops.paths == tuple(paths[index] for index in np.random.RandomState(5).choice(7, 20))


def test_a_rule_resizes_the_short_side_and_stays_in_range() -> None:
    pixels = torch.rand(3, 30, 90, generator=torch.Generator().manual_seed(0))
    crop = RULE(pixels, np.random.RandomState(0))
    assert crop.shape == (3, 16, 16) and 0 <= crop.min() <= crop.max() <= 1
    still = CropRule(size=30, flip=0.0, brightness=0.0)
    found = still(pixels, np.random.RandomState(0))
    assert any(torch.equal(found, pixels[:, :, left : left + 30]) for left in range(61))
    mirrored = CropRule(size=30, flip=1.0, brightness=0.0)(pixels, np.random.RandomState(0))
    torch.testing.assert_close(mirrored, found.flip(2))


@pytest.mark.parametrize("size", [9, 20, 448])
@pytest.mark.parametrize("shape", [(375, 500), (10, 45), (99, 33), (30, 7), (16, 16)])
def test_a_picture_is_resized_to_the_size_that_torchvision_gives(size: int, shape: tuple[int, int]) -> None:
    from torchvision.transforms.v2.functional import resize

    assert CropRule(size).resized(shape) == tuple(resize(torch.zeros(3, *shape), [size]).shape[1:])


def test_an_empty_folder_and_a_missing_one_are_refused(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match=r"no pictures .* found no files"):
        TrainingCrops(tmp_path, rule=RULE)
    with pytest.raises(SourceError, match="does not exist"):
        TrainingCrops(tmp_path / "gone", rule=RULE)


def test_clips_between_the_pictures_are_left_out(folder: Path, tmp_path: Path) -> None:
    crops = TrainingCrops(folder, rule=RULE)
    (tmp_path / "clip.mp4").write_bytes(b"x")
    with pytest.raises(SourceError, match=r"found 1 \.mp4"):
        TrainingCrops(tmp_path, rule=RULE)
    Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / "a.png")
    assert len(TrainingCrops(tmp_path, rule=RULE)) == 1 and len(crops) == 7


@pytest.mark.parametrize("workers", [0, 1])
def test_a_damaged_picture_is_named_without_a_workers_traceback(folder: Path, tmp_path: Path, workers: int) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "class0/2.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match=r"^\S+2\.png: not a picture") as caught:
        take(TrainingCrops(copy, rule=RULE), 0, 3, workers=workers)
    assert "Traceback" not in str(caught.value)


def test_a_picture_of_one_name_in_two_formats_counts_twice(tmp_path: Path) -> None:
    for suffix in ("png", "bmp"):
        Image.fromarray(np.zeros((20, 20, 3), np.uint8)).save(tmp_path / f"a.{suffix}")
    assert len(TrainingCrops(tmp_path, rule=RULE)) == 2


@pytest.mark.parametrize("subset", [0, -3, 1.5, "all"])
def test_a_subset_that_is_no_count_is_refused(folder: Path, subset: int) -> None:
    with pytest.raises(UsageError, match=r"data\.subset"):
        TrainingCrops(folder, rule=RULE, subset=subset)


@pytest.mark.parametrize("wrong", [{"size": 0}, {"flip": 1.5}, {"brightness": -0.1}])
def test_a_rule_out_of_range_is_refused(wrong: dict[str, float]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        CropRule(**{"size": 16, **wrong})  # type: ignore[arg-type]
