from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError
from densevl.data.packet_scan import errors_of, scan_packets
from tests.clips import make_clip, make_sound
from tests.damaged_clips import damaged_clips, remux

COUNTS = {"one.mp4": 1, "long.mp4": 1500}


def test_frames_are_counted_in_every_container(clips: dict[str, Path]) -> None:
    counts = {name: len(scan_packets(path).seconds) for name, path in clips.items()}
    assert counts == {name: COUNTS.get(name, 60) for name in clips}


def test_times_start_at_the_first_frame_and_follow_the_clip(clips: dict[str, Path]) -> None:
    even = np.arange(60) / 30
    np.testing.assert_allclose(scan_packets(clips["plain.mp4"]).seconds, even, atol=1e-9)
    np.testing.assert_allclose(scan_packets(clips["late start.mkv"]).seconds, even, atol=1e-3)
    varying = np.array([20 * k + 4 * (k % 3) for k in range(60)]) / 600
    np.testing.assert_allclose(scan_packets(clips["varying rate.mp4"]).seconds, varying, atol=1e-9)


def test_the_rate_is_the_mean_where_frames_vary(clips: dict[str, Path]) -> None:
    assert scan_packets(clips["plain.mp4"]).fps == 30
    assert scan_packets(clips["varying rate.mp4"]).fps == pytest.approx(59 / 1.98, rel=0.02)


def test_a_rotation_tag_turns_the_size(clips: dict[str, Path]) -> None:
    turned, upside_down = scan_packets(clips["turned.mp4"]), scan_packets(clips["upside down.mp4"])
    assert (turned.rotation, turned.coded_size, turned.size) == (270, (120, 160), (160, 120))
    assert (upside_down.rotation, upside_down.size) == (180, (120, 160))


def test_open_gops_are_seen_and_closed_ones_are_not(clips: dict[str, Path]) -> None:
    assert scan_packets(clips["open gop.mp4"]).open_gop
    assert scan_packets(clips["hevc.mp4"]).open_gop  # what x265 makes unless told otherwise
    assert not scan_packets(clips["plain.mp4"]).open_gop
    assert not scan_packets(clips["sparse keys.mp4"]).open_gop


@pytest.mark.parametrize("suffix", ["mkv", "mp4"])
def test_frames_whose_references_were_cut_away_do_not_count(
    suffix: str, clips: dict[str, Path], tmp_path: Path
) -> None:
    inside = remux(clips["open gop.mp4"], tmp_path / f"inside.{suffix}", first_key=1)
    scan = scan_packets(inside)
    assert len(scan.seconds) == 48  # its 50 packets hold two frames that lean on the part before the cut
    assert scan.lost == 0


def test_an_index_that_lists_more_than_the_file_holds(tmp_path: Path) -> None:
    scan = scan_packets(damaged_clips(tmp_path)["cut at 60 %, index first"])
    assert scan.header_count == 60
    assert 0 < len(scan.seconds) < 60
    assert scan.lost == 60 - len(scan.seconds)


def test_what_is_no_clip_is_refused_with_path_and_cause(tmp_path: Path) -> None:
    (tmp_path / "empty.mp4").touch()
    (tmp_path / "page.mp4").write_text("<!doctype html>")
    causes = {
        "gone.mp4": "no such file",
        "empty.mp4": "0 bytes",
        "page.mp4": "not a clip",
        "sound.mp4": "no moving pictures, only audio",
        ".": "no file that can be decoded",
    }
    make_sound(tmp_path / "sound.mp4")
    for name, cause in causes.items():
        with pytest.raises(ClipError, match=cause) as caught:
            scan_packets(tmp_path / name)
        assert caught.value.path == str(tmp_path / name)
        assert str(tmp_path / name) in str(caught.value)


def test_a_pipe_is_refused_before_it_is_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")
    with pytest.raises(ClipError, match="no file that can be decoded"):
        scan_packets(tmp_path / "pipe.mp4")


def test_a_playlist_cannot_make_us_read_other_files(clips: dict[str, Path], tmp_path: Path) -> None:
    (tmp_path / "private.mp4").write_bytes(clips["plain.mp4"].read_bytes())
    playlist = tmp_path / "list.mp4"
    playlist.write_text("ffconcat version 1.0\nfile private.mp4\n")
    with pytest.raises(ClipError):
        scan_packets(playlist)


def test_a_name_that_is_no_text_and_one_that_looks_like_an_address(clips: dict[str, Path], tmp_path: Path) -> None:
    for name in (b"\xff.mp4", b"http:x.mp4", "é %d.mp4".encode()):
        path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/" + name))
        path.write_bytes(clips["one.mp4"].read_bytes())
        assert len(scan_packets(path).seconds) == 1


def test_errors_of_decoders_become_one_and_ours_stay() -> None:
    for error in (RuntimeError("x"), ValueError("x"), IndexError("x"), OSError(5, "x")):
        with pytest.raises(ClipError, match=r"a\.mp4: cannot \(x\)"), errors_of("a.mp4", "cannot"):
            raise error
    for ours in (ClipError("mine"), MemoryError()):
        with pytest.raises(type(ours)) as caught, errors_of("a.mp4", "cannot"):
            raise ours
        assert caught.value is ours


def test_a_rate_that_the_header_makes_up_is_replaced_by_the_measured_one(tmp_path: Path) -> None:
    scan = scan_packets(make_clip(tmp_path / "a.m2ts"))  # its header says 600, the ticks of a second
    assert scan.fps == pytest.approx(30, rel=0.01)


@pytest.mark.parametrize(
    ("name", "options", "promised"),
    [
        ("a.avi", {"codec": "mpeg4"}, 60),
        ("gap.avi", {"codec": "mpeg4", "times": [20 * k + (200 if k > 9 else 0) for k in range(60)]}, 70),
        ("places.avi", {}, 60),  # H.264 in 1200 places of which every 20th holds a frame
        ("a.mkv", {}, 60),
        ("a.webm", {"codec": "libvpx-vp9"}, 60),
        ("index first.mp4", {"movflags": "faststart"}, 60),
    ],
)
def test_a_whole_clip_lacks_nothing_and_a_cut_one_says_how_much(
    name: str, options: dict, promised: int, tmp_path: Path
) -> None:
    mux = {"movflags": options.pop("movflags")} if "movflags" in options else {}
    whole = make_clip(tmp_path / f"whole{Path(name).suffix}", **options)
    clip = remux(whole, tmp_path / name, options=mux) if mux else whole
    assert (scan_packets(clip).lost, scan_packets(clip).cut) == (0, "")
    half = tmp_path / f"half {name}"
    half.write_bytes(clip.read_bytes()[: clip.stat().st_size // 2])
    scan = scan_packets(half)
    assert 5 < len(scan.seconds) < 50
    assert abs(len(scan.seconds) + scan.lost - promised) <= 8  # about, where places without a frame are lost too
    assert scan.cut == f"cut off: {len(scan.seconds)} of {len(scan.seconds) + scan.lost} frames"


def test_sound_that_outlasts_the_pictures_is_no_cut(tmp_path: Path) -> None:
    import av

    path = tmp_path / "long sound.mkv"
    with (
        av.open(str(make_clip(tmp_path / "a.mkv"))) as clip,
        av.open(str(make_sound(tmp_path / "sound.mp4"))) as sound,
        av.open(str(path), "w") as both,
    ):
        for old in (clip.streams.video[0], sound.streams.audio[0]):
            both.add_stream_from_template(old)
        for new, source in zip(both.streams, (clip, sound), strict=True):
            for packet in source.demux(**{new.type: 0}):
                if packet.size:
                    if source is sound:
                        packet.pts = packet.dts = packet.pts * 20
                    packet.stream = new
                    both.mux(packet)
    with av.open(str(path)) as container:
        assert container.duration > 5_000_000
    assert scan_packets(path).cut == ""


def test_a_file_whose_reading_breaks_off_is_cut_too(clips: dict[str, Path]) -> None:
    scan = replace(scan_packets(clips["plain.mp4"]), damage="Input/output error")
    assert scan.cut == "cut off after 60 frames (Input/output error)"
