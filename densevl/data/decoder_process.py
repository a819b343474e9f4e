"""Decoding in a process of its own: a decoder that hangs is killed, one that crashes takes nothing with it.

decord is known to spin forever, holding the interpreter's lock, on containers that promise more frames than they hold;
no thread of the same process could stop it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from densevl.core.errors import ClipError, DensevlError, ShapeError, UsageError
from densevl.data.frames import Backend, open_frames
from densevl.data.packet_scan import clip_error

_ERRORS = {error.__name__: error for error in (ClipError, ShapeError)}
_WORKER = "from densevl.data.decoder_process import serve; serve()"


class DecoderProcess:
    """Reads frames as `open_frames(path, backend).read(indices)` does, within a time limit. A context manager.

    The process is started with the first clip and kept; after a hang or a crash the next clip gets a new one. For one
    thread at a time; also usable where a parent may have no children by multiprocessing (workers of a data loader).

    Args:
        timeout_sec: the longest that one call of `read` may take.
        backend: see `open_frames`.
    """

    def __init__(self, *, timeout_sec: float, backend: Backend = "auto") -> None:
        self.timeout_sec, self.backend = timeout_sec, backend
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> DecoderProcess:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def close(self) -> None:
        """End the process."""
        if self._process is not None:
            self._process.kill()
            self._process.communicate()  # closes its pipes, and waits for it
            self._process = None

    def read(self, path: str | Path, indices: Sequence[int]) -> np.ndarray:
        """Decode some frames.

        Returns:
            [n, H, W, 3] uint8 RGB, upright, in the order of `indices`.

        Raises:
            ClipError: it cannot be decoded, the time is over, or the decoder crashed.
            ShapeError: a number below 0, or not below the number of frames.
        """
        if self._process is None:
            self._process = _start()
        process = self._process
        request = {"path": os.fspath(path), "indices": [int(index) for index in indices], "backend": self.backend}
        out_of_time = threading.Event()
        timer = threading.Timer(self.timeout_sec, lambda: (out_of_time.set(), process.kill()))
        timer.start()
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            return _receive(process.stdout)
        except (EOFError, BrokenPipeError) as error:
            code = process.wait()
            self.close()
            if out_of_time.is_set():
                reason = (
                    f"not decoded within {self.timeout_sec:g} s, its decoder was killed; allow more time or remove it"
                )
            else:
                reason = f"its decoder crashed (exit code {code}); choose another decoder or remove it"
            raise clip_error(path, reason) from error
        finally:
            timer.cancel()


def serve() -> None:
    """What the process does: answer requests on stdin until it is closed."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints must not mix with the answers
    answers.write(b"ready\n")
    answers.flush()
    for line in sys.stdin.buffer:
        request = json.loads(line)
        try:
            with open_frames(request["path"], request["backend"]) as reader:
                frames = reader.read(request["indices"])
        except DensevlError as error:
            answer = {"error": type(error).__name__, "message": str(error), "path": request["path"]}
            answers.write(json.dumps(answer).encode() + b"\n")
        else:
            answers.write(json.dumps({"shape": frames.shape}).encode() + b"\n")
            answers.write(frames.reshape(-1))
        answers.flush()


def _start() -> subprocess.Popen[bytes]:
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    process = subprocess.Popen(
        [sys.executable, "-c", _WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment
    )
    process.stdout.readline()  # the time limit is for decoding, not for starting
    return process


def _receive(answers: BinaryIO) -> np.ndarray:
    line = answers.readline()
    if not line:
        raise EOFError
    answer = json.loads(line)
    if "error" in answer:
        error = _ERRORS.get(answer["error"], UsageError)(answer["message"])
        if isinstance(error, ClipError):
            error.path = answer["path"]
        raise error
    frames = np.empty(answer["shape"], dtype=np.uint8)  # [n, H, W, 3]
    if answers.readinto(frames.reshape(-1)) < frames.nbytes:
        raise EOFError
    return frames
