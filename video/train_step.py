"""How a recogniser is fine-tuned: one step from labelled clips to the cross entropy with their words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor, nn

from densevl.core.structures import TextBank
from densevl.engine.groups import layer_groups
from densevl.losses import soft_target_cross_entropy
from video.dataset import TrainingClips
from video.mixing import ClipMixer, smooth_labels

BETAS = (0.9, 0.98)  # AdamW's, as X-CLIP, ViFi-CLIP and ILA were trained


class Trainable(Protocol):
    """What a recogniser has beside features and logits, to be trained."""

    class_names: tuple[str, ...]
    trains_text: bool  # whether the vectors of the words change

    def trained_module(self) -> nn.Module:
        """The part whose state a checkpoint keeps."""
        ...

    def layers(self) -> Sequence[Sequence[nn.Parameter]]:
        """Trained parameters from the first layer to the last."""
        ...

    def name_classes(self, class_names: Sequence[str]) -> None:
        """Take the class names of a training set."""
        ...

    def text_bank(self) -> TextBank:
        """Their unit vectors."""
        ...

    def to_checkpoint(self, epoch: int) -> Mapping[str, Any]:
        """The content of a published file."""
        ...


class FineTuneStep(nn.Module):
    """Batches of clips -> the loss `classes` (a core.stages.TrainStep).

    Args:
        recogniser: what is trained, as its own settings say.
        training_set: whose class names the clips are told apart by.
        rate: learning rate of the last layer.
        layer_decay: factor on the rate from each layer to the one before it; 1: one rate for all.
        mixer: mixup and cutmix; None: none.
        smoothing: of the labels.

    Source: ViFi-CLIP (CVPR 2023) and X-CLIP (ECCV 2022), their training code; layer-wise rates: BEiT (ICLR 2022).
    """

    def __init__(
        self,
        recogniser: Any,
        training_set: TrainingClips,
        *,
        rate: float,
        layer_decay: float = 1.0,
        mixer: ClipMixer | None = None,
        smoothing: float = 0.0,
    ) -> None:
        super().__init__()
        self.recogniser, self.trained = recogniser, recogniser.trained_module()
        recogniser.name_classes(training_set.class_names)
        self.views = {"size": training_set.view.size, **asdict(training_set.frames)}
        self.rate, self.layer_decay, self.mixer, self.smoothing = rate, layer_decay, mixer, smoothing
        self._bank: TextBank | None = None

    def forward(self, batch: Mapping[str, Tensor]) -> Mapping[str, Tensor]:
        """`video` [B, T, 3, H, W] in [0, 1] and `labels` [B] -> the mean cross entropy with soft targets."""
        video, targets = self._mix(batch["video"], batch["labels"])
        scores = self.recogniser.logits(self.recogniser.video_features(video), self.text_bank())  # [B, K]
        return {"classes": soft_target_cross_entropy(scores.float(), targets)}

    def text_bank(self) -> TextBank:
        """The words' vectors: anew where they are trained, else computed once."""
        if self.recogniser.trains_text:
            return self.recogniser.text_bank()
        if self._bank is None:
            with torch.no_grad(), torch.autocast(next(self.parameters()).device.type, enabled=False):
                self._bank = self.recogniser.text_bank()
        return self._bank

    def parameter_groups(self) -> Sequence[Mapping[str, Any]]:
        """A group a layer, where their rates differ; everything decays, biases and norms too, as published."""
        return layer_groups(self.recogniser.layers(), rate=self.rate, layer_decay=self.layer_decay, betas=BETAS)

    def release(self, epoch: int) -> Mapping[str, Any]:
        """The published layout, and beside it `views`: what the model saw of a clip, and should see again."""
        return {**self.recogniser.to_checkpoint(epoch), "views": self.views}

    def _mix(self, video: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
        targets = smooth_labels(labels, len(self.recogniser.class_names), smoothing=self.smoothing)
        if self.mixer is None:
            return video, targets
        # drawn from torch's generator, whose state is in every checkpoint
        return self.mixer(video, targets, np.random.RandomState(int(torch.randint(2**31, ()))))
