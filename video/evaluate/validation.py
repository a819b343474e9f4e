"""Validation within a training run: the figures of the model as it is, by every process on its share of the clips."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from densevl.core.errors import ClipError, ClipPolicy, UnknownNameError
from densevl.engine.complaints import Complaints
from densevl.engine.ranks import current_ranks
from densevl.metrics import ClassificationReport
from video.dataset import TrainingClips
from video.evaluate.documents import FIGURES
from video.evaluate.reading import ViewReader
from video.evaluate.run import FATES, POLICIES, check_clips
from video.lists import read_clip_list
from video.transforms import to_channels_first
from video.views import ClipViews


class Validation:
    """Called by the trainer: top1 (which decides), top5 and mean_class over a list, in per cent.

    Nothing is drawn, so a run that is resumed goes on as if it had never validated.

    Args:
        step: what is trained, a `video.train_step.FineTuneStep`.
        training_set: whose classes and folder the list shares.
        clip_list: the list, relative to that folder.
        views: what is seen of a clip.
        policy: what a clip that cannot be read is: a wrong answer, left out, or the end of the run.
        workers: clips decoded at a time.
        view_batch: views of a clip in one forward pass.

    Raises:
        UnknownNameError: there is no such policy. DataError: the list, or all of its clips, are not there.
    """

    def __init__(
        self,
        step: Any,
        training_set: TrainingClips,
        *,
        clip_list: str,
        views: ClipViews,
        policy: ClipPolicy = "count-as-wrong",
        workers: int = 2,
        view_batch: int = 4,
    ) -> None:
        if policy not in POLICIES:
            raise UnknownNameError("policy for clips", policy, POLICIES)
        self.step, self.policy, self.view_batch = step, policy, view_batch
        root = Path(training_set.root)
        self.clips = read_clip_list(root / clip_list, training_set.class_names, root=root)
        check_clips(self.clips)
        self.reader = ViewReader(views, workers)
        self._complaints = Complaints("more such clips: `densevl check-data` lists them all")

    def __call__(self) -> dict[str, float]:
        """Score every clip once.

        Raises:
            ClipError: one cannot be read, and the policy is "raise".
        """
        ranks = current_ranks()
        report = ClassificationReport(self.clips.num_classes)
        share = range(ranks.rank, len(self.clips), ranks.count)
        with _evaluating(self.step), torch.no_grad(), closing(self.reader.read(self.clips.paths, share)) as clips:
            bank = self.step.text_bank()
            for clip in clips:
                label = np.array([self.clips.labels[clip.index]])
                if clip.views is not None:
                    report.update(self._score(clip.views, bank), label)
                else:
                    self._fail(report, clip.index, clip.error)
        counts = torch.from_numpy(report.counts).to(bank.vectors.device)
        whole = ClassificationReport(self.clips.num_classes)
        whole.add_counts(ranks.add_up(counts).cpu().numpy())
        figures = whole.compute()
        return {name: figures[name] for name in FIGURES}

    def _score(self, views: np.ndarray, bank: Any) -> np.ndarray:
        """[V, T, S, S, 3] uint8 -> [1, K], the mean of the views' probabilities."""
        recogniser, device = self.step.recogniser, bank.vectors.device
        scores = []
        for start in range(0, len(views), self.view_batch):
            video = to_channels_first(views[start : start + self.view_batch]).to(device).float() / 255
            scores.append(recogniser.logits(recogniser.video_features(video), bank).float().softmax(dim=-1))
        return torch.cat(scores).mean(dim=0, keepdim=True).cpu().numpy()

    def _fail(self, report: ClassificationReport, index: int, error: str) -> None:
        if self.policy == "raise":
            raise ClipError(error, path=str(self.clips.paths[index]))
        self._complaints.add(index, f"{FATES[self.policy]}: {error}")
        if self.policy == "skip":
            report.skip()
        else:
            report.miss(np.array([self.clips.labels[index]]))


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Evaluation mode, and every part as it was afterwards: some stay in evaluation mode while others train."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
