"""A run over many items: reading, inference and writing overlap, in bounded memory.

    reading threads          calling thread        writing threads           journal thread
    decode, hash, verify  -> infer(one group)   -> encode, write (atomic) -> append, in source order

Pictures of a group share a forward pass, and the last bits of a number may depend on who else is in the batch. So
groups are fixed by position in the source, and a group with unfinished items is inferred whole: labels of a resumed
run equal those of an unbroken one byte for byte. What is finished and verified is left alone.
"""

from __future__ import annotations

import logging
import os
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from densevl.core.errors import ClassListError, ConfigError, DensevlError, OutputError, UsageError, WeightsError
from densevl.core.files import sha256_bytes, write_atomic
from densevl.engine.journal import Journal, Record
from densevl.engine.runtime import is_out_of_memory

if TYPE_CHECKING:
    from densevl.core.stages import Source, Writer

logger = logging.getLogger(__name__)

# These concern every item: the run stops whatever --on-error says.
FAULTS_OF_THE_RUN = (OutputError, UsageError, WeightsError, ConfigError, ClassListError)
MOST_WORKERS = 4  # reading and writing threads; more only hold more pictures in memory


@dataclass(frozen=True)
class Failure:
    """An item that could not be done."""

    index: int
    name: str
    reason: str


@dataclass(frozen=True)
class RunCount:
    """What a run did.

    Attributes:
        done: items written by this run.
        resumed: items that were finished already, verified.
        failed: items without outputs, in source order.
        seconds: wall clock.
    """

    done: int
    resumed: int
    failed: tuple[Failure, ...]
    seconds: float


@dataclass
class _Item:
    """One input on its way down; `reason` is set where it failed, and the later steps pass it on."""

    index: int
    name: str
    content: Any = None  # what the source read: a picture [H, W, 3]
    input_sha256: str = ""
    finished: bool = False
    result: Any = None
    reason: str = ""


@dataclass(frozen=True)
class _Outcome:
    index: int
    name: str
    record: Record | None  # None: was finished already


@dataclass
class _Flow:
    """The queues of a run and what came out of them; touched by the calling thread only."""

    groups: Iterator[Sequence[int]]
    files: ThreadPoolExecutor  # reads and writes
    clerk: ThreadPoolExecutor  # one thread: keeps the journal in order
    progress: Callable[[int], object]
    reading: deque[list[Future[_Item]]] = field(default_factory=deque)
    writing: deque[tuple[int, Future[list[_Outcome]]]] = field(default_factory=deque)
    done: int = 0
    resumed: int = 0
    failed: list[Failure] = field(default_factory=list)

    def count(self) -> None:
        """Wait for the oldest group in writing and count it."""
        _, future = self.writing.popleft()
        outcomes = future.result()
        for outcome in outcomes:
            if outcome.record is None:
                self.resumed += 1
            elif outcome.record.error:
                self.failed.append(Failure(outcome.index, outcome.name, outcome.record.error))
            else:
                self.done += 1
        self.progress(len(outcomes))


def fixed_groups(count: int, size: int) -> list[range]:
    """Positions 0..count-1 in groups of `size`; the same for every run over the same source."""
    return [range(start, min(start + size, count)) for start in range(0, count, size)]


@dataclass(frozen=True)
class Pipeline:
    """What a run is made of.

    Attributes:
        source: where pictures (or other items) come from.
        infer: pictures [H, W, 3] of one group -> their results, in order; called in the calling thread.
        writers: one for each kind of output; one that gives None has nothing to write for that item.
        journal: of the output folder.
        settings: fingerprint of all that decides the outputs beside the input bytes; not of the group size, which may
            move the last bits.
        row: index and result -> what the journal keeps for the summary (JSON values).
        wanted: a finished item's record -> the outputs that must still be there; None: one of every writer. Needed
            where writers give None.
        on_error: "skip" lists a failed item and goes on, "stop" raises its error.
        workers: threads that read and write; also the items that may wait before and behind inference.
    """

    source: Source
    infer: Callable[[list[Any]], Sequence[Any]]
    writers: Sequence[Writer]
    journal: Journal
    settings: str
    row: Callable[[int, Any], Mapping[str, Any]]
    wanted: Callable[[Record], Iterable[str]] | None = None
    on_error: Literal["skip", "stop"] = "skip"
    workers: int = min(MOST_WORKERS, os.cpu_count() or 1)

    def run(self, groups: Iterable[Sequence[int]], progress: Callable[[int], object] = lambda count: None) -> RunCount:
        """Take every group down the stair.

        On an error and on Ctrl-C nothing new is started, what is inferred already is written and journaled, and the
        threads end before the error is raised.

        Args:
            groups: positions in the source, each group inferred in one call; fixed by the source alone.
            progress: called in this thread with the number of items that have just been journaled or found finished.

        Raises:
            OutputError: the output folder cannot be written any more.
            DensevlError: the first item that failed, with on_error "stop".
        """
        started = time.monotonic()
        with ThreadPoolExecutor(self.workers, "files") as files, ThreadPoolExecutor(1, "journal") as clerk:
            flow = _Flow(iter(groups), files, clerk, progress)
            try:
                self._drive(flow)
            finally:
                for future in [future for group in flow.reading for future in group]:
                    future.cancel()
        return RunCount(flow.done, flow.resumed, tuple(flow.failed), time.monotonic() - started)

    def _drive(self, flow: _Flow) -> None:
        names = self.source.names()
        self._read_ahead(flow, names)
        while flow.reading:
            group = flow.reading.popleft()
            self._read_ahead(flow, names)  # read while this group is inferred
            self._take_down([future.result() for future in group], flow)
            room = max(self.workers, len(group))
            while flow.writing and (flow.writing[0][1].done() or sum(size for size, _ in flow.writing) > room):
                flow.count()
        while flow.writing:
            flow.count()

    def _read_ahead(self, flow: _Flow, names: Sequence[str]) -> None:
        while sum(map(len, flow.reading)) < self.workers and (group := next(flow.groups, None)) is not None:
            flow.reading.append([flow.files.submit(self._read, _Item(index, names[index])) for index in group])

    def _take_down(self, items: list[_Item], flow: _Flow) -> None:
        if not all(item.finished or item.reason for item in items):
            for item in items:
                self._decode(item)  # the company of an unfinished item, where it was finished and not decoded yet
            self._infer([item for item in items if not item.reason])
        writes = [flow.files.submit(self._write, item) for item in items]
        flow.writing.append((len(items), flow.clerk.submit(self._commit, writes)))

    def _read(self, item: _Item) -> _Item:
        """See whether an item is finished, and decode it where it is not; files are hashed here, beside inference."""
        record = self.journal.newest(item.name)
        if record is None:
            return self._decode(item)
        try:
            item.input_sha256 = self.source.digest(item.index)
        except Exception as error:
            self._fail(item, error)
            return item
        wanted = self.wanted(record) if self.wanted else [writer.path(item.name) for writer in self.writers]
        settings, digest = self.settings, item.input_sha256
        item.finished = (
            self.journal.finished(item.name, input_sha256=digest, settings=settings, wanted=wanted) is not None
        )
        return item if item.finished else self._decode(item)

    def _decode(self, item: _Item) -> _Item:
        if item.content is None and not item.reason:
            try:
                item.content, item.input_sha256 = self.source.read(item.index)
            except Exception as error:
                self._fail(item, error)
        return item

    def _infer(self, items: list[_Item]) -> None:
        """One call for the group; where it fails, one call an item, so that the culprit fails alone."""
        try:
            results = self.infer([item.content for item in items if item.content is not None])
        except Exception as error:
            if len(items) == 1 or isinstance(error, FAULTS_OF_THE_RUN):
                self._fail(items[0], error)
                return
            logger.info("a group of %d failed (%s); going on one by one", len(items), error)
            results = None
        if results is None:  # outside the handler, whose traceback keeps the group's tensors alive
            for item in items:
                self._infer([item])
            return
        for item, result in zip(items, results, strict=True):
            item.result = result

    def _write(self, item: _Item) -> _Outcome:
        """Encode everything, then write: an item whose encoding fails leaves no file."""
        if item.finished:
            return _Outcome(item.index, item.name, None)
        encoded: dict[str, bytes] = {}
        row: Mapping[str, Any] = {}
        if item.result is not None and item.content is not None:
            try:
                row = self.row(item.index, item.result)
                for writer in self.writers:
                    data = writer.encode(item.name, item.result, item.content)
                    if data is not None:
                        encoded[writer.path(item.name)] = data
            except Exception as error:
                self._fail(item, error)
                encoded, row = {}, {}
        for path, data in encoded.items():
            write_atomic(self.journal.folder / path, data)
        outputs = {path: {"size": len(data), "sha256": sha256_bytes(data)} for path, data in encoded.items()}
        record = Record(item.name, item.input_sha256, self.settings, outputs, row, item.reason)
        return _Outcome(item.index, item.name, record)

    def _commit(self, writes: list[Future[_Outcome]]) -> list[_Outcome]:
        outcomes = []
        for write in writes:
            outcome = write.result()
            if outcome.record is not None:
                before = self.journal.newest(outcome.name)
                self.journal.append(outcome.record)
                if before is not None and not outcome.record.error:
                    _remove(self.journal.folder, before.outputs.keys() - outcome.record.outputs.keys())
            outcomes.append(outcome)
        return outcomes

    def _fail(self, item: _Item, error: Exception) -> None:
        """Note why an item failed, or raise where that ends the run."""
        if self.on_error == "stop" or isinstance(error, FAULTS_OF_THE_RUN):
            logger.warning("stopped at %s", item.name)
            raise error
        logger.debug("%s failed", item.name, exc_info=error)
        item.reason = _reason(error)


def _remove(folder: Path, paths: Iterable[str]) -> None:
    """Outputs of kinds that an item has no more: they would stand beside the new ones and tell of old classes."""
    for path in paths:
        (folder / path).unlink(missing_ok=True)


def _reason(error: Exception) -> str:
    if isinstance(error, DensevlError):
        return str(error)
    if is_out_of_memory(error):
        return f"out of memory: {error}"
    return f"{type(error).__name__}: {error}"
