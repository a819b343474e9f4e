from __future__ import annotations

import json
import multiprocessing
import os
import signal
import time
from pathlib import Path

import pytest

from densevl.core.errors import ClipError, ShapeError, UsageError
from densevl.data.decoder_process import DecoderProcess
from tests.clips import make_sound, number_of


@pytest.fixture(scope="module")
def decoder() -> DecoderProcess:
    with DecoderProcess(timeout_sec=30) as process:
        yield process


def test_frames_are_those_of_a_reader_in_this_process(decoder: DecoderProcess, clips: dict[str, Path]) -> None:
    frames = decoder.read(clips["plain.mp4"], [5, 3, 5])
    assert frames.shape == (3, 120, 160, 3) and frames.flags.writeable
    assert [number_of(frame) for frame in frames] == [5, 3, 5]
    assert decoder.read(clips["plain.mp4"], []).shape == (0, 120, 160, 3)


def test_one_process_serves_many_clips(decoder: DecoderProcess, clips: dict[str, Path]) -> None:
    decoder.read(clips["plain.mp4"], [0])
    first = decoder._process.pid
    decoder.read(clips["vp9.webm"], [0])
    assert decoder._process.pid == first


def test_errors_are_those_of_a_reader(decoder: DecoderProcess, clips: dict[str, Path], tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "sound.mp4")
    with pytest.raises(ClipError, match="no moving pictures") as caught:
        decoder.read(sound, [0])
    assert caught.value.path == str(sound)
    with pytest.raises(ShapeError, match="expected a number from 0 to 59"):
        decoder.read(clips["plain.mp4"], [60])
    with DecoderProcess(timeout_sec=30, backend="decrod") as other, pytest.raises(UsageError, match="decord"):
        other.read(clips["plain.mp4"], [0])


def test_a_file_name_that_is_no_text_gets_there(
    decoder: DecoderProcess, clips: dict[str, Path], tmp_path: Path
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4"))
    path.write_bytes(clips["one.mp4"].read_bytes())
    assert number_of(decoder.read(path, [0])[0]) == 0


@pytest.mark.slow
def test_a_decoder_that_hangs_is_killed_and_the_next_clip_gets_a_new_one(clips: dict[str, Path]) -> None:
    with DecoderProcess(timeout_sec=1) as decoder:
        decoder.read(clips["plain.mp4"], [0])
        stopped = decoder._process.pid
        os.kill(stopped, signal.SIGSTOP)  # no signal but KILL reaches it now, as in a loop that holds the lock
        started = time.monotonic()
        with pytest.raises(ClipError, match="not decoded within 1 s, its decoder was killed") as caught:
            decoder.read(clips["plain.mp4"], [5])
        assert time.monotonic() - started < 5
        assert caught.value.path == str(clips["plain.mp4"])
        with pytest.raises(ProcessLookupError):
            os.kill(stopped, 0)
        assert number_of(decoder.read(clips["plain.mp4"], [7])[0]) == 7


@pytest.mark.slow
def test_a_crash_of_the_decoder_is_an_error_of_that_clip(clips: dict[str, Path]) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        decoder.read(clips["plain.mp4"], [0])
        os.kill(decoder._process.pid, signal.SIGSEGV)
        with pytest.raises(ClipError, match=r"crashed \(exit code -11\)"):
            decoder.read(clips["plain.mp4"], [5])
        assert number_of(decoder.read(clips["plain.mp4"], [7])[0]) == 7


def _read_one(path: str, answers: multiprocessing.SimpleQueue) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        answers.put(json.dumps(number_of(decoder.read(path, [4])[0])))


@pytest.mark.slow
def test_it_runs_in_a_daemon_as_workers_of_a_data_loader_are(clips: dict[str, Path]) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    worker = context.Process(target=_read_one, args=(str(clips["plain.mp4"]), answers), daemon=True)
    worker.start()
    assert answers.get() == "4"
    worker.join()
