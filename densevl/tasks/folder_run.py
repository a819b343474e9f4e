"""A run of the segmenter over many pictures into one output folder that can be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np

from densevl.core.files import write_atomic
from densevl.core.stages import Writer
from densevl.core.structures import Segmentation
from densevl.data import FrameSource, PictureSource
from densevl.engine.journal import Record
from densevl.engine.runtime import pick_batch_size
from densevl.tasks.resumable_run import ResumableRun, task_settings
from densevl.tasks.run_documents import picture_row, report_rows, summary_document
from densevl.tasks.segmenter import Segmenter
from densevl.visualize import WRITERS, coco_document, write_report
from densevl.vocab import ClassList, load_templates


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


class FolderRun(ResumableRun):
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
        segmenter.window_batch = pick_batch_size(options.batch_size, segmenter.device)
        self.on_error = options.on_error
        self.group_size = segmenter.window_batch  # pictures whose windows share forward passes
        self.bank = segmenter.encode(classes, options.templates)

    def infer(self, pictures: list[np.ndarray]) -> list[Segmentation]:
        """Label the pictures of one group."""
        options = self.options
        return self.segmenter.predict_batch(
            pictures, self.bank, threshold=options.thresholds, keep_scores="scores" in options.kinds
        )

    def writers(self) -> list[Writer]:
        """One for each kind of output; coco.json is a document of all pictures."""
        return [WRITERS[kind] for kind in self.options.kinds if kind != "coco"]

    def row(self, index: int, result: Segmentation) -> dict[str, Any]:
        """See `picture_row`."""
        return picture_row(result, self.source.origin(index))

    @property
    def batch_size(self) -> int:
        """Windows in one forward pass."""
        return self.segmenter.window_batch

    def settings(self) -> dict[str, Any]:
        """All that decides the labels beside the pictures."""
        templates = load_templates(self.options.templates or self.segmenter.text_encoder.templates)
        thresholds = dict(self.options.thresholds)
        return {**task_settings(self.segmenter, self.classes), "templates": templates, "thresholds": thresholds}

    def write_documents(self, out: Path, records: Sequence[Record], settings: Mapping[str, Any]) -> None:
        """summary.csv, coco.json and report.html."""
        names = self.classes.names
        write_atomic(out / "summary.csv", summary_document(records, names))
        (out / "coco.json").unlink(missing_ok=True)  # it would tell of old classes where it is not asked for again
        if "coco" in self.options.kinds:
            items = ((record.row["source"], out / WRITERS["labels"].path(record.name)) for record in records)
            write_atomic(out / "coco.json", json.dumps(coco_document(items, names)).encode())
        rows = report_rows(records, names, with_overlay="overlay" in self.options.kinds)
        shown = {key: value for key, value in settings.items() if key not in ("config", "classes", "templates")}
        report = write_report(rows, title=f"{len(rows)} pictures labelled", settings=shown, class_names=names)
        write_atomic(out / "report.html", report)
