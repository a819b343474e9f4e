"""The embedded default among video models: `lite` sees every frame for itself, the clip is their mean."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from densevl.backbones import LiteModel
from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import TextBank
from densevl.heads import CosineHead
from densevl.text import encode_classes
from densevl.weights import load_strict, read_state_dict

_COSINE = CosineHead(logit_scale=1.0, softmax=False)


class LiteFrameMean(nn.Module):
    """Clips [B, T, 3, H, W] x class names -> logits [B, K]: ViFi-CLIP's form over the two embedded towers.

    Frames are averaged, so their order is not seen. The last stages of the image tower can be trained; the text tower
    and the map from words to image features stay as they are.

    Args:
        lite_model: the towers.
        weights: a file that training wrote (`best.pt`, `last.pt`); None: the embedded weights.
        trained_stages: of the image tower's seven, so many at its end are trained, with the layer behind them.
        logit_scale: what cosines are multiplied with.
        usual_share: how much of what the net gives for pictures at large is taken from a frame's features: what is
            everywhere names nothing.
    """

    trains_text = False
    averages_frames = True  # see video.classifier.Recogniser

    def __init__(
        self,
        lite_model: LiteModel,
        *,
        weights: str | Path | None = None,
        trained_stages: int = 0,
        logit_scale: float = 40.0,
        usual_share: float = 1.0,
    ) -> None:
        super().__init__()
        stages = len(lite_model.image_net.blocks)
        if not 0 <= trained_stages <= stages:
            raise UsageError(f"trained_stages must be 0 to {stages}, got {trained_stages}")
        if weights is not None:
            load_strict(lite_model.image_net, read_state_dict(weights), name=str(weights))
        self.lite_model, self.usual_share, self.class_names = lite_model, usual_share, ()
        self.logit_scale = nn.Parameter(torch.tensor(math.log(logit_scale)), requires_grad=False)
        self.trained_stages = trained_stages
        for layer in self._trained_layers():
            layer.requires_grad_(True)

    def frame_features(self, pixels: Tensor) -> Tensor:
        """Frames [..., 3, H, W] in [0, 1] -> [..., E], not normalised.

        Raises:
            ShapeError: not such a tensor.
        """
        if pixels.ndim < 4 or pixels.shape[-3] != 3 or not pixels.is_floating_point():
            raise ShapeError(f"expected float frames [..., 3, H, W], got {pixels.dtype} {tuple(pixels.shape)}")
        features, _ = self.lite_model.encode_image(pixels.flatten(0, -4))  # [N, E, h, w]
        pooled = features.mean(dim=(2, 3)) - self.usual_share * self.lite_model.usual_features  # [N, E]
        return pooled.unflatten(0, pixels.shape[:-3])

    def video_features(self, video: Tensor) -> Tensor:
        """Clips [B, T, 3, H, W] in [0, 1] -> [B, E]: the mean over frames, before anything is normalised."""
        return self.frame_features(video).mean(dim=1)

    def text_features(self, class_names: Sequence[str]) -> Tensor:
        """Names -> [K, E] unit vectors; kept on disk, as for pictures."""
        return encode_classes(tuple(class_names), self.lite_model).vectors

    def logits(self, video_features: Tensor, bank: TextBank) -> Tensor:
        """Features of clips [B, E] x TextBank [Q, E] -> [B, K]."""
        return self.logit_scale.exp() * _COSINE(video_features, bank)

    def forward(self, video: Tensor, bank: TextBank) -> Tensor:
        """Clips [B, T, 3, H, W] in [0, 1] -> logits [B, K]."""
        return self.logits(self.video_features(video), bank)

    def name_classes(self, class_names: Sequence[str]) -> None:
        """Take the class names of a training set."""
        self.class_names = tuple(class_names)

    def text_bank(self, class_names: Sequence[str] | None = None) -> TextBank:
        """Class names, or those of the training set -> unit vectors [K, E]."""
        names = self.class_names if class_names is None else tuple(class_names)
        return TextBank(self.text_features(names), torch.arange(len(names)), names).to(self.logit_scale.device)

    def trained_module(self) -> nn.Module:
        """The image tower: what a checkpoint of a run keeps."""
        return self.lite_model.image_net

    def layers(self) -> list[list[nn.Parameter]]:
        """What is trained: stage by stage, and the layer behind them."""
        return [list(layer.parameters()) for layer in self._trained_layers()]

    def to_checkpoint(self, epoch: int) -> dict[str, Any]:
        """The image tower, for `weights`."""
        state = self.lite_model.image_net.state_dict()
        return {"model": {name: tensor.detach().cpu().clone() for name, tensor in state.items()}, "epoch": epoch}

    def _trained_layers(self) -> list[nn.Module]:
        if not self.trained_stages:
            return []
        net = self.lite_model.image_net
        return [*net.blocks[-self.trained_stages :], net.conv_head]
