"""Decoding in a process of its own: a decoder that hangs is killed, one that crashes takes nothing with it.

decord is known to spin forever, holding the interpreter's lock, on containers that promise more frames than they hold;
no thread of the same process could stop it.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from logging.handlers import BufferingHandler
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from densevl.core.errors import ClipError, DensevlError, ShapeError, UsageError
from densevl.data.frame_reader import FrameReader
from densevl.data.frames import Backend, open_frames
from densevl.data.packet_scan import PacketScan, clip_error
from densevl.data.time_limit import TimeLimit

DECODE_SEC = 60.0  # what a clip may take unless told otherwise; one of ten seconds takes less than one
START_SEC = 120.0  # for Python and its imports; a cold network disk is slow

_ERRORS = {error.__name__: error for error in (ClipError, ShapeError)}
_WORKER = (
    "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); "  # Ctrl-C is its parent's affair
    "from densevl.data.decoder_process import serve; serve()"
)
_GRACE_SEC = 5  # after the time limit, before a decoder whose parent is gone ends itself


class DecoderProcess:
    """Opens clips as `open_frames(path, backend)` does, within a time limit. A context manager.

    The process is started with the first clip and kept; after a hang or a crash the next clip gets a new one. For one
    thread at a time. Copies, by fork or pickle, start a process of their own; it also works where a parent may have no
    children by multiprocessing (workers of a data loader). What it costs stands in docs/decoding.md.

    Args:
        timeout_sec: the longest that opening a clip, or one `read` of it, may take.
        backend: see `open_frames`.

    Raises:
        UsageError: the time limit is not above 0.
    """

    def __init__(self, *, timeout_sec: float, backend: Backend = "auto") -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._owner = 0
        if not 0 < timeout_sec <= threading.TIMEOUT_MAX:
            raise UsageError(f"the time limit for a clip expects seconds above 0, got {timeout_sec}")
        self.timeout_sec, self.backend = timeout_sec, backend

    def __enter__(self) -> DecoderProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_process": None}

    def close(self) -> None:
        """End the process; the next clip starts another. Another thread that waits for an answer gets a ClipError."""
        process, self._process = self._process, None
        if process is None:
            return
        if self._owner == os.getpid():  # else it was inherited by fork, and serves the parent
            process.kill()
            process.wait()
        for pipe in (process.stdin, process.stdout):
            with suppress(OSError):  # a request that nobody will read
                pipe.close()

    def open(self, path: str | Path) -> FrameReader:
        """Open a clip; the one opened before may be read on, it is then opened anew.

        Raises:
            ClipError: it cannot be opened, the time is over, or the decoder crashed.
            UsageError: the decoder is not installed, or its process does not start.
        """
        answer, _ = self._ask(path, "open")
        scan = answer["scan"]
        scan |= {"seconds": np.asarray(scan["seconds"], np.float64), "coded_size": tuple(scan["coded_size"])}
        return _RemoteFrames(path, PacketScan(**scan), self)

    def _ask(self, path: str | Path, wish: str, **details: Any) -> tuple[dict[str, Any], np.ndarray]:
        process = self._running()
        request = {"do": wish, "path": os.fspath(path), "backend": self.backend, "limit": self.timeout_sec, **details}
        limit = TimeLimit(process, self.timeout_sec)
        try:
            _send(process, request)
            answer, frames = _receive(process.stdout)
        except (EOFError, BrokenPipeError) as error:
            process.wait()
            self.close()
            raise clip_error(path, self._reason(limit.over, process.returncode)) from error
        except BaseException:  # an interrupt: the answer on its way must not be taken for that of the next request
            self.close()
            raise
        finally:
            limit.stop()
        if limit.over:  # the answer came whole all the same
            self.close()
        _log_again(answer)
        if "error" in answer:
            failure = _ERRORS.get(answer["error"], UsageError)(answer["message"])
            if isinstance(failure, ClipError):
                failure.path = os.fspath(path)
            raise failure
        return answer, frames

    def _let_go(self, path: str | Path) -> None:
        """Have the process close the file; it answers nothing to that."""
        if self._process is not None and self._owner == os.getpid():
            try:
                _send(self._process, {"do": "close", "path": os.fspath(path)})
            except OSError:
                self.close()

    def _reason(self, is_over: bool, code: int) -> str:
        if is_over or code == -getattr(signal, "SIGALRM", 0):
            return f"not decoded within {self.timeout_sec:g} s, its decoder was killed; allow more time or remove it"
        return f"its decoder crashed (exit code {code}); choose another decoder or remove it"

    def _running(self) -> subprocess.Popen[bytes]:
        """The process; a new one where there is none, where it is a parent's, or where it died between two clips."""
        if self._process is not None and (self._owner != os.getpid() or self._process.poll() is not None):
            self.close()
        if self._process is None:
            self._process, self._owner = _spawn(), os.getpid()  # before it is ready, so that close() can end it
            self._await_start(self._process)
        return self._process

    def _await_start(self, process: subprocess.Popen[bytes]) -> None:
        limit = TimeLimit(process, START_SEC)
        try:
            is_ready = process.stdout.readline() == b"ready\n"
        except BaseException:
            self.close()
            raise
        finally:
            limit.stop()
        if not is_ready or limit.over:
            process.kill()
            code = process.wait()
            self.close()
            what = f"not ready after {START_SEC:g} s" if limit.over else f"exit code {code}"
            cure = "see what it printed above, or decode without a time limit"
            raise UsageError(f"the process that decodes clips does not start ({what}): {cure}")


class _RemoteFrames(FrameReader):
    """A clip that another process decodes."""

    def __init__(self, path: str | Path, scan: PacketScan, decoder: DecoderProcess) -> None:
        super().__init__(path, scan)
        self._decoder = decoder

    def close(self) -> None:
        """Let the process let go of the file."""
        self._decoder._let_go(self.path)

    def decode(self, indices: Sequence[int]) -> np.ndarray:
        """Frames of ascending numbers; see FrameReader."""
        return self._decoder._ask(self.path, "read", indices=list(indices))[1]

    def count_whole(self) -> int:
        """See FrameReader; no frame is sent."""
        return int(self._decoder._ask(self.path, "count")[0]["count"])


def _spawn() -> subprocess.Popen[bytes]:
    command = [sys.executable, "-c", _WORKER]
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | _import_from())


def _import_from() -> dict[str, str]:
    """The environment in which the process finds this package where it is not installed, but lies in a checkout.

    The rest of this process's import path is not handed on: OpenCV puts folders of its own on it, whose `typing` would
    stand before Python's.
    """
    home = Path(__file__).resolve().parents[2]
    if home.name in ("site-packages", "dist-packages"):
        return {}
    return {"PYTHONPATH": os.pathsep.join(filter(None, [str(home), os.environ.get("PYTHONPATH")]))}


def _send(process: subprocess.Popen[bytes], request: dict[str, Any]) -> None:
    process.stdin.write(json.dumps(request).encode() + b"\n")
    process.stdin.flush()


def _receive(answers: BinaryIO) -> tuple[dict[str, Any], np.ndarray]:
    line = answers.readline()
    if not line.endswith(b"\n"):
        raise EOFError
    answer = json.loads(line)
    frames = np.empty(answer["shape"], dtype=np.uint8)  # [n, H, W, 3]
    if answers.readinto(frames.reshape(-1)) < frames.nbytes:
        raise EOFError
    return answer, frames


def _log_again(answer: dict[str, Any]) -> None:
    """What was logged on the way to an answer, such as which decoder was chosen, belongs to this process's log."""
    for name, level, message in answer["log"]:
        logging.getLogger(name).log(level, "%s", message)


def serve() -> None:
    """What the process does: answer requests on stdin until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    notes = BufferingHandler(sys.maxsize)
    logging.getLogger("densevl").addHandler(notes)
    logging.getLogger("densevl").setLevel(logging.INFO)
    answers.write(b"ready\n")
    answers.flush()
    bench = _Bench()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        if request["do"] == "close":
            bench.close()
            continue
        _end_after(request["limit"] + _GRACE_SEC)
        frames = np.empty(0, dtype=np.uint8)
        try:
            answer, frames = bench.answer(request)
        except DensevlError as error:
            answer = {"error": type(error).__name__, "message": str(error)}
        _end_after(0)
        logged = [(record.name, record.levelno, record.getMessage()) for record in notes.buffer]
        notes.flush()
        try:
            answers.write(json.dumps(answer | {"shape": frames.shape, "log": logged}).encode() + b"\n")
            answers.write(frames.reshape(-1))
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody is left to answer


class _Bench:
    """The clip that lies open in the process."""

    def __init__(self) -> None:
        self._reader: FrameReader | None = None

    def close(self) -> None:
        """Let go of it."""
        if self._reader is not None:
            self._reader.close()
        self._reader = None

    def answer(self, request: dict[str, Any]) -> tuple[dict[str, Any], np.ndarray]:
        """The answer, and frames [n, H, W, 3]."""
        path, wish, frames = request["path"], request["do"], np.empty(0, dtype=np.uint8)
        if wish == "open" or (self._reader is not None and self._reader.path != path):
            self.close()
        if self._reader is None:
            self._reader = open_frames(path, request["backend"])
        if wish == "count":
            return {"count": self._reader.count_whole()}, frames
        if wish == "read":
            return {}, self._reader.read(request["indices"])
        scan = vars(self._reader.scan)
        return {"scan": scan | {"seconds": scan["seconds"].tolist()}}, frames


def _end_after(seconds: float) -> None:
    """Let the system end this process then, even where Python cannot, should the parent be gone; 0: never."""
    if hasattr(signal, "setitimer"):
        signal.setitimer(signal.ITIMER_REAL, seconds)
