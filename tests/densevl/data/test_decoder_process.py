from __future__ import annotations

import json
import logging
import multiprocessing
import os
import pickle
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from densevl.core.errors import ClipError, ShapeError, UsageError
from densevl.data import decoder_process
from densevl.data.decoder_process import DecoderProcess
from densevl.data.frames import open_frames
from tests.clips import make_sound, number_of
from tests.damaged_clips import damaged_clips

# A process whose decoder hangs, holding the interpreter's lock, crashes or prints, as the name of the file says.
FAULTY = """
import ctypes, os
import densevl.data.decoder_process as home
real = home.open_frames
def open_frames(path, backend):
    if path.endswith("hang.mp4"):
        ctypes.PyDLL(None).sleep(1000)
    if path.endswith("crash.mp4"):
        os.abort()
    print("a library prints", path)
    return real(path, backend)
home.open_frames = open_frames
home.serve()
"""


@pytest.fixture(scope="module")
def decoder() -> DecoderProcess:
    with DecoderProcess(timeout_sec=30) as process:
        yield process


@pytest.fixture
def faulty(monkeypatch: pytest.MonkeyPatch, clips: dict[str, Path], tmp_path: Path) -> Path:
    """A folder of clips called `hang.mp4`, `crash.mp4` and `good.mp4`, with a decoder that behaves so."""
    monkeypatch.setattr(decoder_process, "_WORKER", FAULTY)
    for name in ("hang", "crash", "good"):
        (tmp_path / f"{name}.mp4").symlink_to(clips["plain.mp4"])
    return tmp_path


def numbers(decoder: DecoderProcess, path: Path, indices: Sequence[int]) -> list[int]:
    with decoder.open(path) as reader:
        return [number_of(frame) for frame in reader.read(indices)]


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_clip_is_that_of_a_reader_in_this_process(decoder: DecoderProcess, clips: dict[str, Path]) -> None:
    for name in ("plain.mp4", "turned.mp4", "varying rate.mp4"):
        with decoder.open(clips[name]) as there, open_frames(clips[name]) as here:
            assert (len(there), there.size, there.fps, there.path) == (60, here.size, here.fps, clips[name])
            np.testing.assert_array_equal(there.scan.seconds, here.scan.seconds)
            assert {**vars(there.scan), "seconds": 0} == {**vars(here.scan), "seconds": 0}
            frames = there.read([5, 3, 5])
            np.testing.assert_array_equal(frames, here.read([5, 3, 5]))
            assert frames.flags.writeable
            assert there.read([]).shape == here.read([]).shape
            assert there.count_whole() == 60


def test_one_process_serves_many_clips_and_two_at_a_time(decoder: DecoderProcess, clips: dict[str, Path]) -> None:
    with decoder.open(clips["plain.mp4"]) as one:
        first = decoder._process.pid
        with decoder.open(clips["vp9.webm"]) as other:
            assert [number_of(reader.read([k])[0]) for k, reader in enumerate((one, other, one))] == [0, 1, 2]
    assert decoder._process.pid == first


def test_errors_are_those_of_a_reader(decoder: DecoderProcess, clips: dict[str, Path], tmp_path: Path) -> None:
    sound = make_sound(tmp_path / "sound.mp4")
    with pytest.raises(ClipError, match="no moving pictures") as caught:
        decoder.open(sound)
    assert caught.value.path == str(sound)
    with decoder.open(clips["plain.mp4"]) as reader, pytest.raises(ShapeError, match="a number from 0 to 59"):
        reader.read([60])
    with DecoderProcess(timeout_sec=30, backend="decrod") as other, pytest.raises(UsageError, match="decord"):
        other.open(clips["plain.mp4"])


def test_damage_is_met_at_the_same_frame_as_in_this_process(decoder: DecoderProcess, tmp_path: Path) -> None:
    path = damaged_clips(tmp_path)["200 bytes flipped"]
    with decoder.open(path) as there, open_frames(path, "pyav") as here:
        whole = here.count_whole()
        assert 0 < whole < 60
        assert there.count_whole() == whole
        with pytest.raises(ClipError, match=f"frame {whole} of 60"):
            there.read([whole])
        assert number_of(there.read([whole - 1])[0]) == whole - 1


def test_the_choice_of_a_decoder_is_logged_here(
    decoder: DecoderProcess, clips: dict[str, Path], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "densevl.data.frames")
    decoder.open(clips["turned.mp4"]).close()
    assert "decoded by PyAV (rotation tag)" in caplog.text


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), float("inf")])
def test_a_time_limit_is_above_0(seconds: float) -> None:
    with pytest.raises(UsageError, match="seconds above 0"):
        DecoderProcess(timeout_sec=seconds)


def test_a_file_name_that_is_no_text_gets_there(
    decoder: DecoderProcess, clips: dict[str, Path], tmp_path: Path
) -> None:
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4"))
    path.write_bytes(clips["one.mp4"].read_bytes())
    assert numbers(decoder, path, [0]) == [0]


def test_a_decoder_that_hangs_is_killed_and_the_next_clip_gets_a_new_one(faulty: Path) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        assert numbers(decoder, faulty / "good.mp4", [3]) == [3]
        decoder.timeout_sec = 0.3
        stopped = decoder._process.pid
        started = time.monotonic()
        with pytest.raises(ClipError, match=r"not decoded within 0\.3 s, its decoder was killed") as caught:
            decoder.open(faulty / "hang.mp4")
        assert time.monotonic() - started < 5
        assert caught.value.path == str(faulty / "hang.mp4")
        assert not is_alive(stopped)
        decoder.timeout_sec = 30
        assert numbers(decoder, faulty / "good.mp4", [7]) == [7]


def test_a_crash_of_the_decoder_is_an_error_of_that_clip(faulty: Path) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        with pytest.raises(ClipError, match=r"crash\.mp4: its decoder crashed \(exit code -6\)"):
            decoder.open(faulty / "crash.mp4")
        assert numbers(decoder, faulty / "good.mp4", [7]) == [7]


def test_a_process_that_dies_between_two_clips_is_nobodys_fault(clips: dict[str, Path]) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        decoder.open(clips["plain.mp4"])
        decoder._process.kill()
        decoder._process.wait()
        assert numbers(decoder, clips["plain.mp4"], [7]) == [7]


def test_an_interrupt_leaves_no_answer_for_the_next_request(
    clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = decoder_process._receive

    def interrupted(answers: object) -> None:
        raise KeyboardInterrupt

    with DecoderProcess(timeout_sec=30) as decoder, decoder.open(clips["plain.mp4"]) as reader:
        first = decoder._process.pid
        monkeypatch.setattr(decoder_process, "_receive", interrupted)
        with pytest.raises(KeyboardInterrupt):
            reader.read([5])
        assert not is_alive(first)
        monkeypatch.setattr(decoder_process, "_receive", real)
        assert number_of(reader.read([9])[0]) == 9  # a new process, and the clip opened anew


def test_the_interrupt_of_a_terminal_reaches_the_parent_only(clips: dict[str, Path]) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        decoder.open(clips["plain.mp4"])
        first = decoder._process.pid
        os.kill(first, signal.SIGINT)  # as Ctrl-C sends it to every process in front
        assert numbers(decoder, clips["plain.mp4"], [9]) == [9]
        assert decoder._process.pid == first


def test_an_answer_that_came_whole_is_good_though_the_time_ran_out_just_then(
    clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    real = decoder_process._receive
    limits: list[decoder_process.TimeLimit] = []
    make = decoder_process.TimeLimit

    def noted(*values: object) -> decoder_process.TimeLimit:
        limits.append(make(*values))
        return limits[-1]

    def late(answers: object) -> object:
        found = real(answers)
        limits[-1]._end()  # the time is over between the answer and its receipt
        return found

    with DecoderProcess(timeout_sec=30) as decoder, decoder.open(clips["plain.mp4"]) as reader:
        first = decoder._process.pid
        monkeypatch.setattr(decoder_process, "TimeLimit", noted)
        monkeypatch.setattr(decoder_process, "_receive", late)
        assert number_of(reader.read([5])[0]) == 5
        assert not is_alive(first)
        monkeypatch.setattr(decoder_process, "_receive", real)
        assert number_of(reader.read([9])[0]) == 9


@pytest.mark.parametrize(
    ("worker", "told"), [("import time; time.sleep(1000)", "not ready after"), ("raise SystemExit(3)", "exit code 3")]
)
def test_a_process_that_does_not_start_is_not_the_clips_fault(
    worker: str, told: str, clips: dict[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "_WORKER", worker)
    monkeypatch.setattr(decoder_process, "START_SEC", 0.3 if "sleep" in worker else 30)
    with DecoderProcess(timeout_sec=30) as decoder, pytest.raises(UsageError, match=told):
        decoder.open(clips["plain.mp4"])


def test_a_copy_has_a_process_of_its_own(decoder: DecoderProcess, clips: dict[str, Path]) -> None:
    decoder.open(clips["plain.mp4"])
    with pickle.loads(pickle.dumps(decoder)) as copy:
        assert copy.timeout_sec == 30
        assert numbers(copy, clips["plain.mp4"], [4]) == [4]
        assert copy._process.pid != decoder._process.pid


def test_it_is_closed_with_its_last_reference(clips: dict[str, Path]) -> None:
    decoder = DecoderProcess(timeout_sec=30)
    decoder.open(clips["plain.mp4"]).close()
    pid = decoder._process.pid
    del decoder
    assert not is_alive(pid)


def test_no_thread_stays_behind(decoder: DecoderProcess, clips: dict[str, Path]) -> None:
    before = threading.active_count()
    numbers(decoder, clips["plain.mp4"], [1, 2])
    assert threading.active_count() <= before + 2  # timers that were cancelled are about to end


def _read_inherited(decoder: DecoderProcess, path: str, answers: multiprocessing.SimpleQueue) -> None:
    with decoder.open(path) as reader:
        answers.put(([number_of(frame) for frame in reader.read(range(60))], decoder._process.pid))
    decoder.close()


@pytest.mark.slow
def test_forked_workers_do_not_share_a_process(clips: dict[str, Path]) -> None:
    context = multiprocessing.get_context("fork")
    answers = context.SimpleQueue()
    with DecoderProcess(timeout_sec=30) as decoder, decoder.open(clips["plain.mp4"]) as reader:
        arguments = (decoder, str(clips["plain.mp4"]), answers)
        workers = [context.Process(target=_read_inherited, args=arguments, daemon=True) for _ in range(2)]
        for worker in workers:
            worker.start()
        found = [answers.get() for _ in workers]
        for worker in workers:
            worker.join()
        assert [read for read, _ in found] == [list(range(60))] * 2
        assert len({pid for _, pid in found} | {decoder._process.pid}) == 3
        assert number_of(reader.read([8])[0]) == 8  # what the workers closed was their own


def _read_one(path: str, answers: multiprocessing.SimpleQueue) -> None:
    with DecoderProcess(timeout_sec=30) as decoder:
        answers.put(json.dumps(numbers(decoder, Path(path), [4])))


@pytest.mark.slow
def test_it_runs_in_a_daemon_as_workers_of_a_data_loader_are(clips: dict[str, Path]) -> None:
    context = multiprocessing.get_context("spawn")
    answers = context.SimpleQueue()
    worker = context.Process(target=_read_one, args=(str(clips["plain.mp4"]), answers), daemon=True)
    worker.start()
    assert answers.get() == "[4]"
    worker.join()


@pytest.mark.slow
def test_a_decoder_that_hangs_ends_itself_where_nobody_is_left_to_kill_it(
    faulty: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(decoder_process, "_WORKER", FAULTY.replace("home.serve()", "home._GRACE_SEC = 0; home.serve()"))
    monkeypatch.setattr(decoder_process.TimeLimit, "_end", lambda limit: None)  # the parent does nothing
    with (
        DecoderProcess(timeout_sec=1) as decoder,
        pytest.raises(ClipError, match="not decoded within 1 s, its decoder was killed"),
    ):
        decoder.open(faulty / "hang.mp4")


def test_the_process_starts_where_opencv_put_a_folder_with_a_typing_of_its_own_on_the_import_path(
    clips: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "typing.py").write_text("raise ImportError('not the typing of Python')")
    monkeypatch.syspath_prepend(str(tmp_path))
    with DecoderProcess(timeout_sec=30) as decoder:
        assert numbers(decoder, next(iter(clips.values())), [0]) == [0]
