"""Clips of a list as the views a model takes, decoded ahead of it by threads with a killable decoder each."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from queue import LifoQueue

import numpy as np

from densevl.core.errors import ClipError
from densevl.core.files import sha256_file
from densevl.data.decoder_process import DECODE_SEC, DecoderProcess
from densevl.data.packet_scan import errors_of
from video.views import ClipViews


@dataclass(frozen=True, eq=False)
class ViewedClip:
    """One clip of a list.

    Attributes:
        index: its place in the list.
        sha256: of its bytes; "" where they cannot be read.
        views: [V, T, S, S, 3] uint8; None where it cannot be decoded, or nobody wanted it.
        error: why it cannot be read; "" where it can.
        note: what is odd about it: it is cut off, and read up to there.
    """

    index: int
    sha256: str = ""
    views: np.ndarray | None = None
    error: str = ""
    note: str = ""


@dataclass(frozen=True)
class ViewReader:
    """How clips are read.

    Attributes:
        views: what the model sees of a clip.
        workers: clips at a time, each in a decoding process of its own; twice as many wait for the model.
        timeout_sec: the longest that opening a clip, or reading a frame of it, may take.
    """

    views: ClipViews
    workers: int = 2
    timeout_sec: float = DECODE_SEC

    def read(
        self,
        paths: Sequence[Path],
        indices: Sequence[int],
        *,
        wanted: Callable[[int, str], bool] = lambda index, sha256: True,
    ) -> Generator[ViewedClip]:
        """The clips at some places, in that order; none is left out. Close it when done with: processes end then.

        Args:
            paths: of the whole list.
            indices: places in it.
            wanted: (place, sha256) -> whether a clip has to be decoded; asked in the reading threads.
        """
        decoders = [DecoderProcess(timeout_sec=self.timeout_sec) for _ in range(self.workers)]
        idle: LifoQueue[DecoderProcess] = LifoQueue()  # few clips start few processes
        for decoder in decoders:
            idle.put(decoder)

        def _read(index: int) -> ViewedClip:
            decoder = idle.get()
            try:
                return self._read_one(paths[index], index, decoder, wanted)
            finally:
                idle.put(decoder)

        pool = ThreadPoolExecutor(self.workers, "decode")
        places, waiting = iter(indices), deque[Future[ViewedClip]]()
        try:
            for index in places:
                waiting.append(pool.submit(_read, index))
                if len(waiting) > 2 * self.workers:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            _end(pool, waiting, decoders)

    def _read_one(
        self, path: Path, index: int, decoder: DecoderProcess, wanted: Callable[[int, str], bool]
    ) -> ViewedClip:
        sha256 = ""
        try:
            with errors_of(path, "cannot be read"):
                sha256 = sha256_file(path)
            if not wanted(index, sha256):
                return ViewedClip(index, sha256)
            with decoder.open(path) as reader:
                return ViewedClip(index, sha256, self.views.read(reader), note=reader.scan.cut)
        except ClipError as error:
            return ViewedClip(index, sha256, error=str(error))


def _end(pool: ThreadPoolExecutor, waiting: Sequence[Future[ViewedClip]], decoders: Sequence[DecoderProcess]) -> None:
    """An interrupt does not wait for what nobody will look at: decoders in the middle of a clip are killed."""
    pool.shutdown(wait=False, cancel_futures=True)
    while running := [future for future in waiting if not future.done()]:
        for decoder in decoders:
            decoder.close()
        wait(running, 0.1)
    for decoder in decoders:
        decoder.close()
