"""A run of the segmenter over many pictures into one output folder that can be continued."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import numpy as np

from densevl import __version__
from densevl.core.files import sha256_bytes, write_atomic
from densevl.core.structures import Segmentation
from densevl.data import FrameSource, PictureSource
from densevl.engine.journal import Journal
from densevl.engine.pipeline import Failure, Pipeline, fixed_groups
from densevl.tasks.run_documents import (
    RunResult,
    classes_document,
    failed_document,
    picture_row,
    report_rows,
    run_document,
    summary_document,
)
from densevl.tasks.segmenter import Segmenter
from densevl.visualize import WRITERS, coco_document, write_report
from densevl.vocab import ClassList, load_templates
from densevl.weights import hash_module

AUTO_BATCH_GPU = 8  # windows; on a CPU a batch gains nothing and costs memory


@dataclass(frozen=True)
class RunOptions:
    """What a user may say about a run.

    Attributes:
        kinds: outputs to write: labels, overlay, scores, confidence, coco, geojson.
        thresholds: least probability by class name.
        templates: a template set or file; None: the model's own.
        on_error: skip an input that fails and list it, or stop.
        batch_size: windows in one forward pass; None: 1 on a CPU, 8 on a GPU.
    """

    kinds: tuple[str, ...] = ("labels", "overlay", "confidence")
    thresholds: Mapping[str, float] = field(default_factory=dict)
    templates: str | None = None
    on_error: Literal["skip", "stop"] = "skip"
    batch_size: int | None = None


class FolderRun:
    """Everything a run needs, checked; `run()` does it, and `run_plan.measure` says what it would take.

    Args:
        segmenter: the model on its device.
        source: the pictures, or frames of clips.
        classes: the words.
        options: see RunOptions.
    """

    def __init__(
        self, segmenter: Segmenter, source: PictureSource | FrameSource, classes: ClassList, *, options: RunOptions
    ) -> None:
        self.segmenter, self.source, self.classes, self.options = segmenter, source, classes, options
        on_gpu = segmenter.device.type != "cpu"
        segmenter.window_batch = options.batch_size or (AUTO_BATCH_GPU if on_gpu else 1)
        self._group_size = segmenter.window_batch  # pictures whose windows share forward passes
        self.bank = segmenter.encode(classes, options.templates)

    def infer(self, pictures: list[np.ndarray]) -> list[Segmentation]:
        """Label the pictures of one group."""
        options = self.options
        return self.segmenter.predict_batch(
            pictures, self.bank, threshold=options.thresholds, keep_scores="scores" in options.kinds
        )

    def run(self, out: Path, *, progress: Callable[[int], object] = lambda count: None) -> RunResult:
        """Label what is not labelled yet and write the documents of the run.

        Args:
            out: output folder, made if absent.
            progress: called with the number of pictures just finished.

        Raises:
            OutputError: the folder cannot be written, or another run is writing it.
        """
        started = datetime.now(timezone.utc)
        settings = self.settings()
        with Journal(out / "journal.jsonl") as journal:
            write_atomic(out / "classes.json", classes_document(self.classes))
            pipeline = Pipeline(
                source=self.source,
                infer=self.infer,
                writers=[WRITERS[kind] for kind in self.options.kinds if kind != "coco"],
                journal=journal,
                settings=sha256_bytes(json.dumps(settings, sort_keys=True).encode()),
                row=lambda index, result: picture_row(result, self.source.origin(index)),
                on_error=self.options.on_error,
            )
            count = pipeline.run(fixed_groups(len(self.source), self._group_size), progress)
            self._write_documents(out, journal, count.failed, settings)
        result = RunResult.of(out, count)
        batch_size = self.segmenter.window_batch
        write_atomic(out / "run.json", run_document(settings, result, started=started, batch_size=batch_size))
        return result

    def settings(self) -> dict[str, Any]:
        """All that decides the labels beside the pictures."""
        segmenter = self.segmenter
        return {
            "densevl": __version__,
            "model": segmenter.name,
            "config": segmenter.config_text,
            "weights": hash_module(segmenter)[:16],
            "classes": [[name, *words] for name, words in zip(self.classes.names, self.classes.synonyms, strict=True)],
            "templates": load_templates(self.options.templates or segmenter.text_encoder.templates),
            "thresholds": dict(self.options.thresholds),
            "device": segmenter.device.type,
            "precision": str(segmenter.dtype).removeprefix("torch."),
        }

    def _write_documents(
        self, out: Path, journal: Journal, failed: tuple[Failure, ...], settings: Mapping[str, Any]
    ) -> None:
        """What stands beside the labels; made from the journal, so a continued run gives the same bytes."""
        failed_names = {failure.name for failure in failed}
        records = [
            record for name in self.source.names() if name not in failed_names and (record := journal.newest(name))
        ]
        names = self.classes.names
        write_atomic(out / "summary.csv", summary_document(records, names))
        write_atomic(out / "failed.csv", failed_document(failed))
        (out / "coco.json").unlink(missing_ok=True)  # it would tell of old classes where it is not asked for again
        if "coco" in self.options.kinds:
            items = ((record.row["source"], out / WRITERS["labels"].path(record.name)) for record in records)
            write_atomic(out / "coco.json", json.dumps(coco_document(items, names)).encode())
        rows = report_rows(records, names, with_overlay="overlay" in self.options.kinds)
        shown = {key: value for key, value in settings.items() if key not in ("config", "classes", "templates")}
        report = write_report(rows, title=f"{len(rows)} pictures labelled", settings=shown, class_names=names)
        write_atomic(out / "report.html", report)
