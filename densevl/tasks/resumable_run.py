"""A run over many inputs into one output folder that can be continued: what pictures, masks and clips share."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

from densevl import __version__
from densevl.core.files import sha256_bytes, write_atomic
from densevl.engine.journal import Journal, Record
from densevl.engine.pipeline import Failure, Pipeline, fixed_groups
from densevl.tasks.run_documents import RunResult, classes_document, failed_document, run_document
from densevl.vocab import ClassList
from densevl.weights import hash_module


def task_settings(task: Any, classes: ClassList) -> dict[str, Any]:
    """What of a task on its device and its words decides the outputs."""
    return {
        "densevl": __version__,
        "model": task.name,
        "config": task.config_text,
        "weights": hash_module(task)[:16],
        "classes": [[name, *words] for name, words in zip(classes.names, classes.synonyms, strict=True)],
        "device": task.device.type,
        "precision": str(task.dtype).removeprefix("torch."),
    }


class ResumableRun(ABC):
    """Read, infer, write and journal every input that is not done yet; then write the documents of all.

    What is written is a function of the inputs and `settings()`: a run that was stopped and continued ends with the
    bytes of one that was not.

    Attributes:
        source: the inputs.
        on_error: skip an input that fails and list it, or stop.
        classes: the words; None: a run without.
        group_size: inputs handed to `infer` at a time.
    """

    source: Any
    on_error: Literal["skip", "stop"]
    classes: ClassList | None = None
    group_size: int = 1

    @abstractmethod
    def infer(self, items: list[Any]) -> list[Any]:
        """The results of one group."""

    @abstractmethod
    def settings(self) -> dict[str, Any]:
        """All that decides the outputs beside the inputs, as JSON holds it."""

    @abstractmethod
    def writers(self) -> Sequence[Any]:
        """What turns a result into files."""

    @abstractmethod
    def row(self, index: int, result: Any) -> dict[str, Any]:
        """What the journal keeps of a result for the documents."""

    @abstractmethod
    def write_documents(self, out: Path, records: Sequence[Record], settings: Mapping[str, Any]) -> None:
        """What stands beside the outputs, from the journal's records of all inputs that did not fail, in order."""

    def wanted(self, record: Record) -> Iterable[str]:
        """The outputs that a finished input must still have: one of each writer, unless a run says otherwise."""
        return [writer.path(record.name) for writer in self.writers()]

    @property
    def batch_size(self) -> int:
        """What one forward pass held at the end of the run, for the record."""
        return 1

    def run(self, out: Path, *, progress: Callable[[int], object] = lambda count: None) -> RunResult:
        """Do what is not done yet and write the documents of the run.

        Args:
            out: output folder, made if absent.
            progress: called with the number of inputs just finished.

        Raises:
            OutputError: the folder cannot be written, or another run is writing it.
        """
        started = datetime.now(timezone.utc)
        settings = self.settings()
        with Journal(out / "journal.jsonl") as journal:
            if self.classes is not None:
                write_atomic(out / "classes.json", classes_document(self.classes))
            pipeline = Pipeline(
                source=self.source,
                infer=self.infer,
                writers=self.writers(),
                journal=journal,
                settings=sha256_bytes(json.dumps(settings, sort_keys=True).encode()),
                row=self.row,
                wanted=self.wanted,
                on_error=self.on_error,
            )
            count = pipeline.run(fixed_groups(len(self.source), self.group_size), progress)
            self.write_documents(out, self._finished(journal, count.failed), settings)
            write_atomic(out / "failed.csv", failed_document(count.failed))
        result = RunResult.of(out, count)
        write_atomic(out / "run.json", run_document(settings, result, started=started, batch_size=self.batch_size))
        return result

    def _finished(self, journal: Journal, failed: Sequence[Failure]) -> list[Record]:
        failed_names = {failure.name for failure in failed}
        names = (name for name in self.source.names() if name not in failed_names)
        return [record for name in names if (record := journal.newest(name))]
