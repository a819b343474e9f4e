"""Clips to train on: drawn from (seed, epoch, place) alone, whoever reads them."""

from __future__ import annotations

import shutil
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
import torch

from densevl.core.errors import ClassListError, ClipError, UsageError
from densevl.data.loader import BatchOrder
from tests.clips import make_clip
from video.dataset import TrainingClips
from video.sampling import FrameRule
from video.transforms import TrainingView

NAMES = ("abseiling", "playing guitar", "zumba")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("clips")
    lines = []
    for number in range(5):
        make_clip(root / f"{number}.mp4", frames=12 + number, size=(48, 64))
        lines.append(f"{number}.mp4 {number % 3}")
    (root / "train.txt").write_text("\n".join(lines))
    (root / "classes.txt").write_text("\n".join(NAMES))
    return root


def make(folder: Path, **options: Any) -> TrainingClips:
    view = TrainingView(size=32, normalization=None)
    defaults = {"clip_list": "train.txt", "classes": "classes.txt", "view": view, "frames": FrameRule(num_frames=4)}
    return TrainingClips(folder, **{**defaults, **options})


def take(clips: TrainingClips, count: int, *, start: int = 0, workers: int = 0) -> list[dict[str, torch.Tensor]]:
    order = BatchOrder(len(clips), 2, clips.seed, start)
    return [part.items for part in islice(clips.batches(order, workers=workers), count)]


def equal(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return all(torch.equal(one[name], other[name]) for name in ("video", "labels"))


def test_a_batch_is_clips_in_range_with_their_labels(folder: Path) -> None:
    clips = make(folder)
    (batch,) = take(clips, 1)
    assert batch["video"].shape == (2, 4, 3, 32, 32) and batch["video"].dtype == torch.float32
    assert 0 <= batch["video"].min() < 0.3 and 0.6 < batch["video"].max() <= 1
    keys = next(iter(BatchOrder(5, 2))).items
    assert batch["labels"].tolist() == [place % 3 for _, place in keys] and clips.class_names == NAMES


def test_batches_are_the_same_from_any_start_and_with_any_workers(folder: Path) -> None:
    clips = make(folder, seed=4)
    whole = take(clips, 5)
    assert all(map(equal, whole[2:], take(clips, 3, start=2)))
    assert all(map(equal, whole, take(clips, 5, workers=2)))
    assert not equal(clips[0, 1], clips[1, 1]) and not equal(clips[0, 1], make(folder, seed=5)[0, 1])


def test_a_broken_clip_ends_a_run_or_the_next_one_stands_in_for_it(
    folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    (copy / "4.mp4").write_bytes(b"no clip")
    for workers in (0, 1):
        with pytest.raises(ClipError, match=r"4\.mp4") as caught:
            take(make(copy), 3, workers=workers)
        assert "Traceback" not in str(caught.value)
    clips = make(copy, on_error="skip")
    assert clips[0, 4]["labels"] == 0 and "stands in" in caplog.text
    assert [len(batch["labels"]) for batch in take(clips, 3)] == [2, 2, 1]
    for number in range(4):
        (copy / f"{number}.mp4").unlink()
    with pytest.raises(ClipError, match="none of the 5 clips"):
        clips[0, 0]


def test_other_clips_labels_or_names_are_another_set_and_another_place_is_not(folder: Path, tmp_path: Path) -> None:
    first = make(folder).identity()
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    assert make(copy).identity() == first and first.startswith("5 (")
    assert make(copy, classes=[*NAMES[:2], "yoga"]).identity() != first
    text = (copy / "train.txt").read_text()
    for other in (text.replace("0.mp4 0", "0.mp4 1"), text.replace("3.mp4", "4.mp4")):
        (copy / "train.txt").write_text(other)
        assert make(copy).identity() != first


def test_a_folder_of_class_folders_needs_no_list(folder: Path, tmp_path: Path) -> None:
    for name, number in zip(NAMES, range(3), strict=True):
        (tmp_path / name).mkdir()
        shutil.copy(folder / f"{number}.mp4", tmp_path / name)
    clips = make(tmp_path, clip_list=".", classes=None)
    assert clips.class_names == NAMES and len(clips) == 3


def test_clips_may_lie_outside_of_the_folder_and_names_may_be_a_long_text(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "train.txt").write_text(f"{folder}/0.mp4 0\n{folder}/1.mp4 39\n")
    clips = make(tmp_path, classes="; ".join(f"a class of things with number {number}" for number in range(40)))
    assert clips[0, 1]["labels"] == 39 and clips.identity().startswith("2 (")


@pytest.mark.parametrize(
    "wrong, error, words",
    [
        ({"on_error": "ignore"}, UsageError, "raise or skip"),
        ({"classes": None}, UsageError, "data.classes=FILE"),
        ({"classes": "gone.txt"}, ClassListError, "gone.txt"),
        ({"classes": NAMES[:2]}, Exception, "2"),
        ({"clip_list": "gone.txt"}, Exception, "gone.txt"),
    ],
)
def test_bad_settings_are_refused_before_anything_is_read(
    folder: Path, wrong: dict[str, Any], error: type[Exception], words: str
) -> None:
    with pytest.raises(error, match=words):
        make(folder, **wrong)
