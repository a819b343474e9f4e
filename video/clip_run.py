"""A run of the video classifier over many clips into one output folder that can be continued."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

from densevl.core.files import write_atomic
from densevl.engine.journal import Record
from densevl.engine.runtime import pick_batch_size
from densevl.tasks.resumable_run import ResumableRun, task_settings
from densevl.tasks.run_documents import RunResult
from densevl.vocab import ClassList
from video.classifier import VideoClassifier
from video.clip_result import ClipResult, clip_row, predictions_document, summary_document
from video.clip_source import ClipSource, LongVideo, ShortClip
from video.results import ClipPrediction
from video.timeline import SegmentRule
from video.timeline_files import WRITERS
from video.watch import watch


def no_one(video: LongVideo, seconds: float) -> None:
    """Nobody wants to know how far a video has been watched."""


@dataclass(frozen=True)
class ClipRunOptions:
    """What a user may say about a run.

    Attributes:
        kinds: files of a timeline: csv, srt, json, strip.
        segments: how windows of a long video become segments.
        on_error: skip a clip that fails and list it, or stop.
        batch_size: views in one forward pass; None: 1 on a CPU, 8 on a GPU.
    """

    kinds: tuple[str, ...] = tuple(WRITERS)
    segments: SegmentRule = field(default_factory=SegmentRule)
    on_error: Literal["skip", "stop"] = "skip"
    batch_size: int | None = None


class ClipRun(ResumableRun):
    """Everything a run needs, checked; `run()` does it.

    Args:
        classifier: the model on its device.
        source: the clips.
        classes: the words.
        options: see ClipRunOptions.
    """

    def __init__(
        self, classifier: VideoClassifier, source: ClipSource, classes: ClassList, *, options: ClipRunOptions
    ) -> None:
        self.classifier, self.source, self.classes, self.options = classifier, source, classes, options
        classifier.view_batch = pick_batch_size(options.batch_size, classifier.device)
        self.on_error = options.on_error
        self.bank = classifier.encode(classes)
        self._watching = no_one

    def infer(self, clips: list[ShortClip | LongVideo]) -> list[ClipResult]:
        """Recognise clips, one after the other: the frames of one are a batch already."""
        return [self._watch(clip) if isinstance(clip, LongVideo) else self._recognise(clip) for clip in clips]

    def _recognise(self, clip: ShortClip) -> ClipResult:
        scores = self.classifier.score(clip.views[None], self.bank)[0]
        return ClipResult(ClipPrediction(self.bank.class_names, scores), clip.duration_sec, note=clip.note)

    def _watch(self, video: LongVideo) -> ClipResult:
        rule = self.options.segments
        timeline = watch(
            video, self.classifier, self.bank, rule=rule, progress=lambda seconds: self._watching(video, seconds)
        )
        return ClipResult(timeline.overall, timeline.duration_sec, timeline, video.scan.cut)

    def run(
        self,
        out: Path,
        *,
        progress: Callable[[int], object] = lambda count: None,
        watching: Callable[[LongVideo, float], object] = no_one,
    ) -> RunResult:
        """Recognise what is not done yet and write the documents of the run.

        Args:
            out: output folder, made if absent.
            progress: called with the number of clips just finished.
            watching: called with a long video and the second up to which it has been scored.

        Raises:
            OutputError: the folder cannot be written, or another run is writing it.
        """
        self._watching = watching
        return super().run(out, progress=progress)

    def writers(self) -> list[Any]:
        """One for each kind of file of a timeline."""
        return [WRITERS[kind] for kind in self.options.kinds]

    def wanted(self, record: Record) -> Iterable[str]:
        """What it wrote: short clips have no timeline. The kinds stand in the settings."""
        return record.outputs

    def row(self, index: int, result: ClipResult) -> dict[str, Any]:
        """See `clip_row`."""
        return clip_row(result, self.source.origin(index))

    @property
    def batch_size(self) -> int:
        """Views in one forward pass."""
        return self.classifier.view_batch

    def settings(self) -> dict[str, Any]:
        """All that decides the outputs beside the clips."""
        return {
            **task_settings(self.classifier, self.classes),
            "views": asdict(self.source.views),
            "windows": asdict(self.source.rule),
            "segments": asdict(self.options.segments),
            "save": list(self.options.kinds),
        }

    def write_documents(self, out: Path, records: Sequence[Record], settings: Mapping[str, Any]) -> None:
        """predictions.csv and summary.csv."""
        write_atomic(out / "predictions.csv", predictions_document(records))
        write_atomic(out / "summary.csv", summary_document(records, self.classes.names))
