"""Views of clips in order, decoded ahead; what cannot be read comes too."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densevl.core.files import sha256_file
from densevl.data import open_frames
from video.evaluate.reading import ViewReader
from video.views import ClipViews

VIEWS = ClipViews(size=32, num_frames=3, views=2)


@pytest.mark.parametrize("workers", [1, 3])
def test_clips_come_in_order_with_the_views_of_the_model_and_their_hash(colours: Path, workers: int) -> None:
    paths = [colours / f"{place}.mp4" for place in range(7)]
    indices = [6, 0, 1, 2, 3, 4, 5]
    found = list(ViewReader(VIEWS, workers).read(paths, indices))
    assert [clip.index for clip in found] == indices
    for clip in found:
        assert clip.sha256 == sha256_file(paths[clip.index]) and not clip.error
        with open_frames(paths[clip.index]) as reader:
            np.testing.assert_array_equal(clip.views, VIEWS.read(reader))


def test_a_clip_that_nobody_wants_is_hashed_and_not_decoded(colours: Path) -> None:
    asked = []

    def wanted(index: int, sha256: str) -> bool:
        asked.append((index, sha256))
        return index == 1

    paths = [colours / "0.mp4", colours / "1.mp4"]
    first, second = ViewReader(VIEWS, 1).read(paths, [0, 1], wanted=wanted)
    assert (first.views, first.error) == (None, "") and second.views is not None
    assert asked == [(place, sha256_file(path)) for place, path in enumerate(paths)]


def test_what_cannot_be_read_is_named_and_left_in_its_place(colours: Path) -> None:
    (colours / "1.mp4").write_bytes(b"no clip")
    paths = [colours / "0.mp4", colours / "1.mp4", colours / "gone.mp4"]
    good, broken, gone = ViewReader(VIEWS, 2).read(paths, [0, 1, 2])
    assert good.views is not None
    assert "1.mp4" in broken.error and broken.sha256 and broken.views is None
    assert "gone.mp4" in gone.error and not gone.sha256


def test_closing_it_early_ends_threads_and_processes(colours: Path) -> None:
    paths = [colours / f"{place}.mp4" for place in range(7)]
    clips = ViewReader(VIEWS, 2).read(paths, range(7))
    assert next(clips).index == 0
    clips.close()
    with pytest.raises(StopIteration):
        next(clips)
