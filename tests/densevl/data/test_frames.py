"""The seam: which decoder is chosen and why, and what damaged files come to with each."""

from __future__ import annotations

import logging
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, UnknownNameError, UsageError
from densevl.data.frames import against_decord, open_frames
from densevl.data.frames_indexed import DecordFrames
from densevl.data.frames_pyav import PyAVFrames
from densevl.data.packet_scan import scan_packets
from tests.clips import number_of
from tests.damaged_clips import BACKENDS, UNNOTICED, damaged_clips, outcome, table

REASONS = {
    "open gop.mp4": "open GOP",
    "hevc.mp4": "open GOP",
    "ten bit.mp4": "open GOP",
    "turned.mp4": "rotation tag",
    "upside down.mp4": "rotation tag",
    "transport.m2ts": "container mpegts",
}

PATCHED_BY_DECORD = "3 bytes flipped (mkv)"  # it shows its guess without a word; PyAV's reader refuses it


def test_decord_is_chosen_unless_the_packets_speak_against_it(
    clips: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    pytest.importorskip("decord")
    caplog.set_level(logging.INFO, "densevl.data.frames")
    for name, path in clips.items():
        caplog.clear()
        with open_frames(path) as reader:
            assert isinstance(reader, PyAVFrames if name in REASONS else DecordFrames), name
        assert str(path) in caplog.text
        assert REASONS.get(name, "decoded by decord") in caplog.text


def test_an_index_that_promises_more_than_there_is_speaks_against_decord(tmp_path: Path) -> None:
    cut = scan_packets(damaged_clips(tmp_path)["cut at 60 %, index first"])
    assert against_decord(cut) == (f"header says 60 frames, packets {len(cut.seconds)}",)


def test_the_right_frames_come_whatever_the_choice(clips: dict[str, Path]) -> None:
    for name, path in clips.items():
        with open_frames(path) as reader:
            indices = [(2 * k + 1) * len(reader) // 16 for k in range(8)]
            turns = reader.scan.rotation // 90
            numbers = [number_of(np.rot90(frame, -turns)) for frame in reader.read(indices)]
        assert numbers == indices, name


def test_without_decord_pyav_decodes(
    clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(sys.modules, "decord", None)
    caplog.set_level(logging.INFO, "densevl.data.frames")
    with open_frames(clips["plain.mp4"]) as reader:
        assert isinstance(reader, PyAVFrames)
    assert "decord cannot be loaded" in caplog.text
    with pytest.raises(UsageError, match="pip install decord"):
        open_frames(clips["plain.mp4"], "decord")


def test_an_unknown_decoder_is_refused_with_the_known_ones(clips: dict[str, Path]) -> None:
    with pytest.raises(UnknownNameError, match="did you mean decord"):
        open_frames(clips["plain.mp4"], "decrod")


def test_damaged_files_give_right_frames_or_a_clip_error_and_nothing_else(tmp_path: Path) -> None:
    cases = damaged_clips(tmp_path)
    readable = {name: outcome(path, "pyav") for name, path in cases.items()}
    refused = {name for name, result in readable.items() if result == "refused"}
    assert refused == {
        "cut at 60 %, index at the end",
        "random bytes",
        "a web page",
        "0 bytes",
        "a header without frames",
        "sound only",
    }
    assert readable["whole"] == "60 frames right"
    assert readable["200 bytes flipped"].endswith("frames right, then ClipError")
    assert readable["cut at 60 %, index first"].endswith("frames right, then ClipError")
    assert readable["begins inside an open GOP"] == "48 frames right"
    assert {name for name, result in readable.items() if "**" in result} == set(UNNOTICED)
    for name in cases.keys() - {*UNNOTICED, PATCHED_BY_DECORD}:
        for backend in ("auto", "decord"):
            assert "**" not in outcome(cases[name], backend), (name, backend)


def test_the_table_of_the_docs_has_a_line_a_case() -> None:
    lines = table({"whole": Path("a"), "cut": Path("b")}, lambda path, backend: f"{path} {backend}").splitlines()
    assert lines[0].count("|") == len(BACKENDS) + 2
    assert lines[2] == "| whole | " + " | ".join(f"a {backend}" for backend in BACKENDS) + " |"


GROWTH = """
    import sys
    from densevl.data.frames import open_frames
    def resident_mb():
        return next(int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmRSS")) / 1024
    sizes = []
    for k in range(300):
        with open_frames(sys.argv[1], sys.argv[2]) as reader:
            reader.read([0, 20, 40, 59])
        sizes.append(resident_mb())
    print(sizes[299] - sizes[49])
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory in use from /proc")
@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_300_opens_stay_flat_in_memory(backend: str, clips: dict[str, Path]) -> None:
    command = [sys.executable, "-c", textwrap.dedent(GROWTH), str(clips["plain.mp4"]), backend]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 10


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="reads the memory in use from /proc")
@pytest.mark.parametrize("backend", ["decord", "pyav"])
def test_a_pass_over_a_long_clip_stays_flat_in_memory(backend: str, clips: dict[str, Path]) -> None:
    script = GROWTH.split("    sizes = []")[0] + (
        "    reader = open_frames(sys.argv[1], sys.argv[2])\n"
        "    sizes = [resident_mb() for _ in reader.every(1)]\n"
        "    print(max(sizes[750:]) - sizes[750])\n"  # decord fills its pool of frames for the first few hundred
    )
    command = [sys.executable, "-c", textwrap.dedent(script), str(clips["long.mp4"]), backend]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert float(done.stdout) < 10  # the second half of the frames would be 41 MB


def test_a_clip_error_survives_the_way_through_a_worker_process() -> None:
    import pickle

    error = pickle.loads(pickle.dumps(ClipError("a.mp4: gone", path="a.mp4")))
    assert (str(error), error.path) == ("a.mp4: gone", "a.mp4")
