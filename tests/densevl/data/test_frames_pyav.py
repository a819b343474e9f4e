from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError
from densevl.data.frames import open_frames
from densevl.data.frames_pyav import PyAVFrames
from densevl.data.packet_scan import scan_packets
from tests.clips import number_of
from tests.damaged_clips import damaged_clips

SIDEWAYS = {"turned.mp4": 1, "upside down.mp4": 2}  # quarter turns back to how it was coded


@pytest.mark.parametrize("order", ["forwards", "backwards", "at random"])
def test_every_frame_of_every_clip_is_the_one_asked_for(order: str, clips: dict[str, Path]) -> None:
    for name, path in clips.items():
        with open_frames(path, "pyav") as reader:
            indices = np.arange(len(reader))[:: max(1, len(reader) // 30)]
            if order == "backwards":
                indices = indices[::-1][:8]
            elif order == "at random":
                indices = np.random.default_rng(0).choice(indices, 8)
            frames = [reader.read([index])[0] for index in indices]
            assert all(frame.shape == (*reader.size, 3) for frame in frames), name
            numbers = [number_of(np.rot90(frame, SIDEWAYS.get(name, 0))) for frame in frames]
            assert numbers == indices.tolist(), name


def test_frames_are_turned_the_way_players_turn_them(clips: dict[str, Path]) -> None:
    coded = open_frames(clips["plain.mp4"], "pyav").read([5])[0]
    turned = open_frames(clips["turned.mp4"], "pyav").read([5])[0]
    np.testing.assert_array_equal(turned, np.rot90(coded, -1))  # the tag says 90 degrees clockwise


def test_what_comes_before_damage_is_read_and_what_comes_after_raises_each_time(tmp_path: Path) -> None:
    path = damaged_clips(tmp_path)["200 bytes flipped"]
    with open_frames(path, "pyav") as reader:
        good: list[int] = []
        with pytest.raises(ClipError, match="damaged: frame") as caught:
            for _, frame in reader.every(1):
                good.append(number_of(frame))
        assert good == list(range(len(good))) and good
        for _ in range(2):
            with pytest.raises(ClipError) as again:
                reader.read([59])
            assert again.value is caught.value
        assert number_of(reader.read([len(good) - 1])[0]) == len(good) - 1
        assert number_of(reader.read([0])[0]) == 0


def test_a_frame_that_the_decoder_patched_over_is_damage(tmp_path: Path) -> None:
    with (
        open_frames(damaged_clips(tmp_path)["3 bytes flipped (mkv)"], "pyav") as reader,
        pytest.raises(ClipError, match="had to patch it"),
    ):
        reader.read([59])


def test_a_clip_with_fewer_frames_than_packets_says_so(clips: dict[str, Path]) -> None:
    scan = scan_packets(clips["long.mp4"])
    reader = PyAVFrames(clips["plain.mp4"], scan)
    with pytest.raises(ClipError, match="ends after 60 frames where its packets promise 1500"):
        reader.read([60])


def test_it_can_be_read_again_after_closing(clips: dict[str, Path]) -> None:
    reader = open_frames(clips["plain.mp4"], "pyav")
    assert number_of(reader.read([9])[0]) == 9
    reader.close()
    assert number_of(reader.read([9])[0]) == 9
