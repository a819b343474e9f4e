from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, UsageError
from densevl.data.frames import Backend, against_decord, open_frames
from tests.clips import number_of
from tests.damaged_clips import damaged_clips, outcome, remux


def usable(backend: Backend, path: Path) -> None:
    try:
        open_frames(path, backend).close()
    except UsageError as error:
        pytest.skip(str(error))


@pytest.mark.parametrize("backend", ["decord", "torchcodec"])
def test_frames_are_those_of_pyav_where_seeking_can_be_trusted(backend: Backend, clips: dict[str, Path]) -> None:
    usable(backend, clips["plain.mp4"])
    trusted = 0
    for name, path in clips.items():
        with open_frames(path, "pyav") as plain:
            if against_decord(plain.scan):
                continue
            indices = np.random.default_rng(1).integers(0, len(plain), 8)
            expected = plain.read(indices)
        with open_frames(path, backend) as reader:
            frames = reader.read(indices)
        assert [number_of(frame) for frame in frames] == indices.tolist(), name
        assert frames.shape == expected.shape
        assert np.abs(frames.astype(int) - expected).mean() < 2, name  # other rounding from YUV to RGB
        trusted += 1
    assert trusted >= 6


@pytest.mark.parametrize("backend", ["decord", "torchcodec"])
def test_a_count_that_the_packets_contradict_is_refused(
    backend: Backend, clips: dict[str, Path], tmp_path: Path
) -> None:
    usable(backend, clips["plain.mp4"])
    inside = remux(clips["open gop.mp4"], tmp_path / "inside.mkv", first_key=1)
    with pytest.raises(ClipError, match="counts 50 frames, the packets 48; read it with pyav"):
        open_frames(inside, backend)


@pytest.mark.parametrize("backend", ["decord", "torchcodec"])
def test_nothing_asked_is_nothing_decoded(backend: Backend, clips: dict[str, Path]) -> None:
    usable(backend, clips["plain.mp4"])
    assert open_frames(clips["plain.mp4"], backend).read([]).shape == (0, 120, 160, 3)


def test_where_decord_fails_pyav_goes_on_with_the_frames_before_the_damage(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("decord")
    caplog.set_level(logging.INFO, "densevl.data.frames_indexed")
    damaged = damaged_clips(tmp_path)["200 bytes flipped"]
    assert outcome(damaged, "auto") == outcome(damaged, "pyav")
    assert "going on with PyAV" in caplog.text and str(damaged) in caplog.text
    with open_frames(damaged) as reader, pytest.raises(ClipError, match="all after it are lost"):
        reader.read(range(60))
