"""VideoClassifier: clip and words -> probabilities. It holds a recogniser and what it sees of a clip."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.core.errors import MemoryLimitError, ShapeError, WeightsError
from densevl.core.structures import TextBank
from densevl.data import open_frames
from densevl.engine.runtime import autocast, is_out_of_memory
from densevl.vocab import ClassList, parse_classes
from video.results import ClipPrediction
from video.transforms import to_channels_first
from video.views import ClipViews

logger = logging.getLogger(__name__)

Classes = ClassList | Sequence[str] | str | Path


class Recogniser(Protocol):
    """What a video model is to the classifier: a module that gives features of clips and of words.

    One whose features of a clip are the mean of `frame_features` [B, T, 3, H, W] -> [B, T, E] says so by
    `averages_frames = True`: windows of a long video then share what was computed of a frame.
    """

    def video_features(self, video: Tensor) -> Tensor:
        """Clips [B, T, 3, H, W] float RGB in [0, 1] -> [B, E]."""
        ...

    def text_features(self, class_names: Sequence[str]) -> Tensor:
        """Names -> [K, E]."""
        ...

    def logits(self, video_features: Tensor, bank: TextBank) -> Tensor:
        """Features [B, E] x TextBank [Q, E] -> [B, K], cosines times the model's scale."""
        ...


class VideoClassifier(nn.Module):
    """Open-vocabulary action recognition.

    Args:
        recogniser: the model.
        views: which frames and crops of a clip it sees.
    """

    def __init__(self, recogniser: Recogniser, views: ClipViews) -> None:
        super().__init__()
        self.recogniser, self.views = recogniser, views
        # what densevl.load knows: its name and config for the record, and one line on what it cannot do for the user
        self.name = self.config_text = self.limits = ""
        self.view_batch = 1  # views in one forward pass
        self.dtype = torch.float32
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    @torch.inference_mode()
    def encode(self, classes: Classes) -> TextBank:
        """Text vectors [Q, E] of a class list, computed once a run; a class has one row per synonym."""
        words = classes if isinstance(classes, ClassList) else parse_classes(classes)
        vectors = F.normalize(self.recogniser.text_features(words.queries).float(), dim=-1)  # [Q, E]
        return TextBank(vectors, torch.tensor(words.class_index, device=vectors.device), words.names).to(self.device)

    def predict(self, clip: np.ndarray | str | Path, classes: Classes | TextBank) -> ClipPrediction:
        """Recognise one clip.

        Args:
            clip: a path, or uint8 RGB frames [T', H, W, 3], T' free.
            classes: names, a `parse_classes` text or file, a ClassList; or a bank of `encode`, for many clips.

        Raises:
            ClipError: the file cannot be decoded.
            ShapeError: the array is no such frames.
        """
        bank = classes if isinstance(classes, TextBank) else self.encode(classes)
        if isinstance(clip, (str, Path)):
            with open_frames(clip, "pyav") as reader:
                views = self.views.read(reader)  # [V, T, S, S, 3]
        else:
            views = self._cut(np.asarray(clip))
        source = Path(clip) if isinstance(clip, (str, Path)) else None
        return ClipPrediction(bank.class_names, self.score(views[None], bank)[0], source)

    def look(self, crops: np.ndarray) -> np.ndarray:
        """What of frames is kept for the windows that they lie in: features, where the model sees each by itself.

        Args:
            crops: [n, C, S, S, 3] uint8.

        Returns:
            [n, C, E] float32, or the crops as they are where the model sees several frames at once.
        """
        if not getattr(self.recogniser, "averages_frames", False):
            return crops
        frames = crops.reshape(-1, *crops.shape[2:])  # [n * C, S, S, 3]
        features = self._in_batches(frames, self._see_frames, per_view=self.views.num_frames)
        return features.reshape(*crops.shape[:2], -1)

    def score(self, clips: np.ndarray, bank: TextBank) -> np.ndarray:
        """Probabilities of clips, the mean over their views; a softmax for each view.

        Args:
            clips: [B, V, T, S, S, 3] uint8, or [B, V, T, E] of `look`.
            bank: of `encode`.

        Returns:
            [B, K] float32.

        Raises:
            WeightsError: the model gives no numbers.
        """
        flat = clips.reshape(-1, *clips.shape[2:])  # [B * V, T, ...]
        scores = self._in_batches(flat, lambda views: self._forward(views, bank))
        if not np.isfinite(scores).all():
            raise WeightsError("the model gives no number for a clip: try --precision fp32, or other weights")
        return scores.reshape(*clips.shape[:2], -1).mean(axis=1)  # [B, K]

    def _in_batches(
        self, items: np.ndarray, forward: Callable[[np.ndarray], np.ndarray], *, per_view: int = 1
    ) -> np.ndarray:
        """Pass items [n, ...] through, as many at a time as make `view_batch` views; fewer where memory is short."""
        passed, start = [], 0
        while start < len(items):
            batch = items[start : start + self.view_batch * per_view]
            try:
                passed.append(forward(batch))
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                if self.view_batch == 1:
                    raise MemoryLimitError(f"out of memory for one view ({error}): take a smaller --model") from error
                self.view_batch = max(1, min(self.view_batch, len(items) // per_view) // 2)
                logger.warning("out of memory: went on with %d views a pass", self.view_batch)
                continue
            start += len(batch)
        return np.concatenate(passed)

    @torch.inference_mode()
    def _see_frames(self, frames: np.ndarray) -> np.ndarray:
        pixels = self._to_pixels(frames)[:, None]  # [n, 1, 3, S, S]
        with autocast(pixels.device, self.dtype):
            features = self.recogniser.frame_features(pixels)
        return features[:, 0].float().cpu().numpy()  # [n, E]

    @torch.inference_mode()
    def _forward(self, views: np.ndarray, bank: TextBank) -> np.ndarray:
        if views.dtype == np.uint8:
            video = self._to_pixels(views)  # [n, T, 3, S, S]
            with autocast(video.device, self.dtype):
                features = self.recogniser.video_features(video).float()
        else:
            features = torch.from_numpy(views).to(self.device).mean(dim=1)  # [n, E]
        return self.recogniser.logits(features, bank).softmax(dim=-1).cpu().numpy()  # [n, K]

    def _to_pixels(self, frames: np.ndarray) -> Tensor:
        return to_channels_first(frames).to(self.device).float().div_(255)

    def _cut(self, frames: np.ndarray) -> np.ndarray:
        if frames.ndim != 4 or frames.shape[-1] != 3 or frames.dtype != np.uint8 or frames.size == 0:
            raise ShapeError(f"expected frames [T, H, W, 3] uint8 RGB, got {frames.dtype} {list(frames.shape)}")
        numbers = self.views.frame_numbers(len(frames))
        cuts = {number: self.views.cut(frames[number]) for number in np.unique(numbers).tolist()}
        return self.views.stack(cuts, numbers)
