"""One list of clips scored into one folder: resumable, in shards or processes, every clip exactly once.

Each part of a run (one of n shards, or one of torchrun's processes) keeps a journal of its own; the figures are made
from all journals in the folder as soon as together they hold every clip of the list. Counts are integers, and a clip's
views share no forward pass with another's, so the parts give what one run gives.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import numpy as np

from densevl import __version__
from densevl.core.errors import ClipError, ClipPolicy, DataError
from densevl.core.files import sha256_bytes
from densevl.engine.complaints import Complaints
from densevl.engine.journal import Record
from densevl.engine.runtime import versions
from densevl.engine.shards import Journals, Part, PartJournal, hash_inputs
from densevl.metrics import ClassificationReport, rank_of_label
from densevl.tasks.protocol_card import describe_model
from densevl.vocab import ClassList
from video.evaluate.card import describe_clips, describe_views
from video.evaluate.documents import write_documents
from video.evaluate.reading import ViewedClip, ViewReader
from video.lists import ClipList

if TYPE_CHECKING:
    from video.classifier import VideoClassifier

POLICIES = get_args(ClipPolicy)
FATES = {"raise": "", "skip": "skipped", "count-as-wrong": "counted as wrong"}
_KEPT = 5  # best classes of a clip that the journal keeps
_DIGITS = 6  # of a kept score


class ClipEvaluation:
    """A classifier, on its device and with the views of the protocol set, against a list of labelled clips.

    Args:
        classifier: the model.
        clips: the list.
        reader: how clips are read; its views are the classifier's.
        policy: what a clip that cannot be read is: the end of the run, left out, or a wrong answer.
        card: what the protocol card says beside what is known here.

    Raises:
        DataError: no clip, labels without names, or not one of the files is there.
    """

    def __init__(
        self,
        classifier: VideoClassifier,
        clips: ClipList,
        *,
        reader: ViewReader,
        policy: ClipPolicy = "count-as-wrong",
        card: Mapping[str, Any] | None = None,
    ) -> None:
        check_clips(clips)
        self.classifier, self.clips, self.reader, self.policy = classifier, clips, reader, policy
        words = ClassList(clips.class_names, tuple((name,) for name in clips.class_names))
        self.bank = classifier.encode(words)
        self.card = {"list_source": clips.source, **(card or {})}
        self._complaints = Complaints("more such clips: failed.csv and predictions.csv list them all")
        self.settings = self._settings()
        self.fingerprint = sha256_bytes(json.dumps(self.settings, sort_keys=True).encode())

    def score(self, out: Path, part: Part, *, progress: Callable[[int], object] = lambda count: None) -> None:
        """Score the clips of a part that are not scored yet.

        Args:
            out: folder of the journals.
            part: which clips.
            progress: called with the number of clips just finished.

        Raises:
            ClipError: a clip cannot be read and the policy is "raise".
            OutputError: the folder cannot be written, or another run is writing this part.
        """
        with PartJournal(out, part, self.fingerprint) as journal:

            def _wanted(index: int, sha256: str) -> bool:
                return journal.finished(str(index), input_sha256=sha256, settings=self.fingerprint, wanted=()) is None

            indices = part.of(range(len(self.clips)))
            with closing(self.reader.read(self.clips.paths, indices, wanted=_wanted)) as clips:
                for clip in clips:
                    if clip.views is not None or clip.error:
                        journal.append(self._record(clip))
                    progress(1)

    def report(self, out: Path) -> dict[str, Any] | None:
        """Write metrics.json, per_class.csv, confusion.csv and .png, predictions.csv and failed.csv.

        Returns:
            What metrics.json holds; None, and nothing is written, while some clip of the list is not scored.
        """
        records = self.records(out)
        if len(records) < len(self.clips):
            return None
        ordered = [records[index] for index in range(len(self.clips))]
        report = self._count(ordered)
        card = {**self.card, **self.settings, "data": hash_inputs(ordered), "on_error": self.policy}
        return write_documents(out, self.clips, ordered, report, {**card, "versions": versions()})

    def records(self, out: Path) -> dict[int, Record]:
        """What the journals of a folder say of these clips under these settings; finished ones before failed ones."""
        with Journals(out, self.fingerprint) as journals:
            return {int(name): record for name in journals if (record := journals.get(name)) is not None}

    def _settings(self) -> dict[str, Any]:
        """All that decides a clip's scores beside its bytes."""
        return {
            "densevl": __version__,
            **describe_model(self.classifier),
            **describe_clips(self.clips),
            **describe_views(self.reader.views),
        }

    def _record(self, clip: ViewedClip) -> Record:
        path, label = self.clips.paths[clip.index], self.clips.labels[clip.index]
        row: dict[str, Any] = {"path": str(path), "label": label}
        if clip.views is None:
            if self.policy == "raise":
                raise ClipError(f"{clip.error}; or go on without it: --on-error", path=str(path))
            self._complaints.add(clip.index, f"{FATES[self.policy]}: {clip.error}")
            return Record(str(clip.index), clip.sha256, self.fingerprint, {}, row, clip.error)
        if clip.note:
            self._complaints.add(clip.index, f"{path}: {clip.note}; read up to there")
        scores = self.classifier.score(clip.views[None], self.bank)  # [1, K]
        best = np.argsort(-scores[0], kind="stable")[:_KEPT]
        row["top"] = [[int(k), round(float(scores[0, k]), _DIGITS)] for k in best]
        row["rank"] = int(rank_of_label(scores, np.array([label]))[0])
        row["note"] = clip.note
        return Record(str(clip.index), clip.sha256, self.fingerprint, {}, row)

    def _count(self, records: list[Record]) -> ClassificationReport:
        report = ClassificationReport(self.clips.num_classes)
        answered = [record.row for record in records if not record.error]
        failed = np.array([record.row["label"] for record in records if record.error], dtype=np.int64)
        if answered:
            best, ranks, labels = zip(*((row["top"][0][0], row["rank"], row["label"]) for row in answered), strict=True)
            report.update_ranked(np.array(best), np.array(ranks), np.array(labels))
        if self.policy == "skip":
            report.skip(len(failed))
        else:
            report.miss(failed)
        return report


def check_clips(clips: ClipList) -> int:
    """See that a list can be evaluated, before a model is loaded.

    Returns:
        How many of its files are missing.

    Raises:
        DataError: no clip, labels without names, or none of the files is there.
    """
    if not len(clips):
        raise DataError(f"{clips.source}: the list is empty; write a line 'path label' for each clip")
    if not clips.class_names:
        raise DataError(f"{clips.source} has numbers as labels: say what they are called, --classes FILE")
    missing = [path for path in clips.paths if not path.is_file()]
    if len(missing) == len(clips):
        raise DataError(
            f"{clips.source}: none of its {len(clips)} clips is there, the first would be {missing[0]}; paths are "
            "relative to --data"
        )
    return len(missing)
