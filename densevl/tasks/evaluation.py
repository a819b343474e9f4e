"""A segmenter against a data set, into one folder: resumable, in shards or processes, every picture exactly once.

The journal keeps of each picture the counts of the metrics, as plain numbers: whole numbers that add up to the same
figures whatever the parts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from densevl import __version__
from densevl.core.files import sha256_bytes
from densevl.core.structures import Segmentation
from densevl.engine.pipeline import Pipeline, RunCount, fixed_groups
from densevl.engine.runtime import pick_batch_size, versions
from densevl.engine.shards import Journals, Part, PartJournal
from densevl.metrics import BoundaryIoU, CalibrationError, MeanIoU
from densevl.tasks.evaluation_documents import Outcome, write_documents
from densevl.tasks.protocol import Protocol
from densevl.tasks.protocol_card import describe_protocol, describe_segmenter, describe_set, fingerprint
from densevl.tasks.samples import Sample, SampleSource
from densevl.tasks.segmenter import Segmenter
from densevl.visualize import WRITERS

if TYPE_CHECKING:
    from densevl.core.stages import LabelledSet

Counts = Mapping[str, Any]


class SetMetrics:
    """The metrics of an evaluation together.

    Args:
        num_classes: K.
        ignore_index: label of pixels that are not scored.
    """

    def __init__(self, num_classes: int, ignore_index: int) -> None:
        self.regions = MeanIoU(num_classes, ignore_index=ignore_index)
        self.boundaries = BoundaryIoU(num_classes, ignore_index=ignore_index)
        self.calibration = CalibrationError(ignore_index=ignore_index)

    def update(self, result: Segmentation, label: np.ndarray) -> None:
        """Add one picture with its annotation [H, W]."""
        self.regions.update(result.label_map, label)
        self.boundaries.update(result.label_map, label)
        self.calibration.update(result.confidence, result.label_map, label)

    def counts(self) -> dict[str, Any]:
        """All counts as JSON values."""
        return {name: metric.counts() for name, metric in self._named().items()}

    def add_counts(self, counts: Counts) -> None:
        """Add what `counts` gave elsewhere."""
        for name, metric in self._named().items():
            metric.add_counts(counts[name])

    def compute(self) -> dict[str, Any]:
        """All figures; see the metrics."""
        figures: dict[str, Any] = {}
        for metric in self._named().values():
            figures |= metric.compute()
        return figures

    def _named(self) -> dict[str, Any]:
        return {"regions": self.regions, "boundaries": self.boundaries, "calibration": self.calibration}


@dataclass(frozen=True, eq=False)
class _Scored:
    result: Segmentation
    label: np.ndarray


class _LabelsOut:
    """The predicted label maps, of a `_Scored` and a Sample, as `densevl segment` writes them."""

    kind = "labels"

    def path(self, name: str) -> str:
        return WRITERS["labels"].path(name)

    def encode(self, name: str, result: Any, picture: Any) -> bytes:
        return WRITERS["labels"].encode(name, result.result, picture.picture)


@dataclass(frozen=True)
class EvaluationOptions:
    """What a user may say about an evaluation.

    Attributes:
        on_error: skip a picture that cannot be scored and list it, or stop.
        batch_size: windows in one forward pass; None: 1 on a CPU, 8 on a GPU.
        limit: only so many pictures, the first; None: all.
        save_labels: write the predicted label maps too.
    """

    on_error: Literal["skip", "stop"] = "skip"
    batch_size: int | None = None
    limit: int | None = None
    save_labels: bool = False


class EvaluationRun:
    """Everything an evaluation needs, checked; `score` does a part of it, `report` makes the figures.

    Args:
        segmenter: the model on its device.
        dataset: the data.
        protocol: what the model is asked with.
        config: of the model as it was loaded, with the `data` section: for the card.
        options: see EvaluationOptions.

    Raises:
        ConfigError: the words of the protocol are not those of the data's classes.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        dataset: LabelledSet,
        protocol: Protocol,
        *,
        config: Mapping[str, Any],
        options: EvaluationOptions | None = None,
    ) -> None:
        protocol.check(dataset.class_names)
        options = options or EvaluationOptions()
        self.segmenter, self.dataset, self.protocol, self.options = segmenter, dataset, protocol, options
        self.source: Any = SampleSource(dataset, options.limit)
        segmenter.window_batch = pick_batch_size(options.batch_size, segmenter.device)
        # fixed by the data alone: parts take whole groups, so that a picture has the same company in each of them
        self._groups = fixed_groups(len(self.source), segmenter.window_batch)
        self.bank = segmenter.encode(protocol.classes, protocol.templates)
        self._running = MeanIoU(len(dataset.class_names), ignore_index=dataset.ignore_index)
        self._guard = threading.Lock()
        self.settings = {
            "densevl": __version__,
            **describe_segmenter(segmenter, config),
            **describe_protocol(protocol, segmenter),
            "data": describe_set(dataset, config.get("data", {})),
        }
        self.fingerprint = fingerprint(self.settings)

    def count(self, part: Part) -> int:
        """How many pictures a part has."""
        return sum(map(len, part.of(self._groups)))

    def score(self, out: Path, part: Part, *, progress: Callable[[int], object] = lambda count: None) -> RunCount:
        """Score the pictures of a part that are not scored yet.

        Args:
            out: folder of the journals.
            part: which pictures.
            progress: called with the number of pictures just finished.

        Raises:
            OutputError: the folder cannot be written, or another run is writing this part.
            DensevlError: the first picture that cannot be scored, with on_error "stop".
        """
        with PartJournal(out, part, self.fingerprint) as journal:
            pipeline = Pipeline(
                source=self.source,
                infer=self._infer,
                writers=[_LabelsOut()] if self.options.save_labels else [],
                journal=journal,
                settings=self.fingerprint,
                row=lambda index, scored: self._count(scored),
                on_error=self.options.on_error,
            )
            return pipeline.run(part.of(self._groups), progress)

    def report(self, out: Path) -> dict[str, Any] | None:
        """Write the documents; the same records give the same bytes.

        Returns:
            What metrics.json holds; None, and nothing is written, while some picture is not scored.

        Raises:
            DataError: no picture could be scored; failed.csv is written.
        """
        metrics = SetMetrics(len(self.dataset.class_names), self.dataset.ignore_index)
        lines, failed = [], []
        with Journals(out, self.fingerprint) as journals:
            for name in self.source.names():
                record = journals.get(name)
                if record is None:
                    return None
                lines.append(f"{name} {record.input_sha256}")
                if record.error:
                    failed.append((name, record.error))
                else:
                    metrics.add_counts(record.row)
        data = {**self.settings["data"], "pictures": len(lines), "sha256": sha256_bytes("\n".join(lines).encode())}
        card = {**self.settings, "data": data, "versions": versions()}
        outcome = Outcome(metrics.compute(), metrics.regions, self.dataset.class_names, len(lines), tuple(failed), card)
        return write_documents(out, outcome)

    def running_miou(self) -> float:
        """What this process has scored so far, in per cent."""
        with self._guard:
            return float(self._running.compute()["mIoU"])

    def scored(self, out: Path) -> int:
        """How many pictures have a record in the journals of a folder, failed ones too."""
        with Journals(out, self.fingerprint) as journals:
            return len(set(journals).intersection(self.source.names()))

    def _infer(self, samples: list[Sample]) -> list[_Scored]:
        pictures = [sample.picture for sample in samples]
        results = self.segmenter.predict_batch(pictures, self.bank, threshold=self.protocol.threshold)
        return [_Scored(result, sample.label) for result, sample in zip(results, samples, strict=True)]

    def _count(self, scored: _Scored) -> dict[str, Any]:
        """What the journal keeps of a picture."""
        metrics = SetMetrics(len(self.dataset.class_names), self.dataset.ignore_index)
        metrics.update(scored.result, scored.label)
        with self._guard:
            self._running.merge(metrics.regions)
        return metrics.counts()
