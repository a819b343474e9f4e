"""A model of densevl as a segmentor of mmsegmentation.

In its configs:

    custom_imports = dict(imports=["densevl.interop.mmseg"])
    model = dict(type="DensevlSegmentor", model="maskclip-lite", classes="ade20k")

The test pipeline loads and packs and does nothing else: densevl resizes by its own rule, so that the figures are those
of `densevl eval`. configs/mmseg/ade20k_lite.py is a whole one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import torch
from torch import Tensor

from densevl.core.errors import ConfigError, UsageError
from densevl.core.structures import TextBank
from densevl.interop.mmcv_ext import ensure
from densevl.tasks import load
from densevl.tasks.thresholds import Threshold, least_confidence
from densevl.visualize.palette import palette
from densevl.vocab import parse_classes

ensure()  # above mmseg, which imports mmcv's ops

from mmengine.structures import PixelData  # noqa: E402
from mmseg.models import BaseSegmentor  # noqa: E402
from mmseg.registry import MODELS  # noqa: E402
from mmseg.structures import SegDataSample  # noqa: E402

_OF_MMSEG = ("init_cfg", "pretrained", "train_cfg", "test_cfg")  # its functions put them into every model, empty
_PREPROCESSOR = {"type": "mmseg.SegDataPreProcessor", "bgr_to_rgb": True}


@MODELS.register_module()
class DensevlSegmentor(BaseSegmentor):  # type: ignore[misc]
    """Predicts label maps at the size of the picture's file, for IoUMetric, visualizers and `mmseg.apis`.

    Args:
        model: name or config file, as for `densevl.load`.
        classes: a list's name, a file, a text or names, in the order of the data's ids.
        threshold: least probability of a label, for all classes or by name. Pixels below go to the background class,
            or hold 255, "no label" (65535 above 255 classes), which is wrong wherever it is scored.
        templates: a template set; None: the model's own.
        overrides: dotted keys of the model's config, such as {"model.geometry.short_side": 448}.
        data_preprocessor: None: SegDataPreProcessor, which turns the BGR of LoadImageFromFile into RGB. It may neither
            normalise nor pad.
        **fields: that mmseg gives every model (`init_cfg`, `pretrained`, `train_cfg`, `test_cfg`), empty.

    Raises:
        DensevlError: no such model or classes, its weights are missing, or a threshold is none.
    """

    def __init__(
        self,
        model: str | Path,
        classes: str | Sequence[str],
        *,
        threshold: Threshold = 0.0,
        templates: str | None = None,
        overrides: Mapping[str, Any] | None = None,
        data_preprocessor: Mapping[str, Any] | None = None,
        **fields: Any,
    ) -> None:
        super().__init__(data_preprocessor=data_preprocessor or _PREPROCESSOR)
        unknown = [name for name, value in fields.items() if value is not None or name not in _OF_MMSEG]
        if unknown:
            raise ConfigError(f"DensevlSegmentor takes no '{unknown[0]}'; keys of the model's config go into overrides")
        words = parse_classes(classes)
        least_confidence(words.names, threshold)
        self.words, self.threshold, self.templates = words, threshold, templates
        self.segmenter = load(model, device="cpu", **(overrides or {}))
        self.dataset_meta = {"classes": words.names, "palette": palette(len(words.names)).tolist()}

    @cached_property
    def _bank(self) -> TextBank:
        """The words as vectors, made where the model has come to lie."""
        bank: TextBank = self.segmenter.encode(self.words, self.templates)
        return bank

    def predict(self, inputs: Tensor, data_samples: list[SegDataSample] | None = None) -> list[SegDataSample]:
        """Label pictures.

        Args:
            inputs: [B, 3, H, W] RGB, whole numbers of 0..255.
            data_samples: one a picture; their `ori_shape` must be that of the inputs.

        Returns:
            The samples, each with `pred_sem_seg` [1, H, W] int64.

        Raises:
            ConfigError: the pipeline has resized, flipped, padded or normalised the pictures.
        """
        samples = [SegDataSample() for _ in inputs] if data_samples is None else data_samples
        for picture, sample in zip(inputs, samples, strict=True):
            _check_untouched(picture, sample)
        bank = self._bank.to(self.segmenter.device)
        pictures = [_to_picture(picture) for picture in inputs]
        results = self.segmenter.predict_batch(pictures, bank, threshold=self.threshold)
        for sample, result in zip(samples, results, strict=True):
            labels = torch.from_numpy(result.labels).to(inputs.device)[None]  # [1, H, W]
            sample.set_data({"pred_sem_seg": PixelData(data=labels)})
        return samples

    def _forward(self, inputs: Tensor, data_samples: list[SegDataSample] | None = None) -> list[Tensor]:
        """Scores of each picture, [W, K, h, w] of its W windows at feature resolution."""
        bank = self._bank.to(self.segmenter.device)
        pictures = [_to_picture(picture) for picture in inputs]
        return [score_map.scores for score_map in self.segmenter.score(pictures, bank)]

    def extract_feat(self, inputs: Tensor) -> Tensor:
        """[B, 3, H, W] RGB of 0..255 -> [B, D, h, w], features as they leave the extractor; nothing is resized."""
        features: Tensor = self.segmenter.extractor(inputs.float() / 255).features
        return features

    def encode_decode(self, inputs: Tensor, batch_data_samples: list[SegDataSample]) -> NoReturn:
        """Scores at the picture's size are never built.

        Raises:
            UsageError: always.
        """
        raise UsageError(
            "DensevlSegmentor builds no scores at the picture's size: mode='predict' gives labels, mode='tensor' "
            "scores at feature resolution"
        )

    def loss(self, inputs: Tensor, data_samples: list[SegDataSample]) -> NoReturn:
        """Models of densevl are trained by densevl.

        Raises:
            UsageError: always.
        """
        raise UsageError("DensevlSegmentor predicts and has no loss: train with `densevl train`, test here")


def _to_picture(values: Tensor) -> np.ndarray:
    """[3, H, W] -> uint8 RGB [H, W, 3].

    Raises:
        ConfigError: the values are no whole numbers of 0..255.
    """
    picture = values.to(torch.uint8)
    if not torch.equal(picture.to(values.dtype), values):
        low, high = values.min().item(), values.max().item()
        raise ConfigError(
            f"expected pictures of whole numbers 0..255, got values from {low:.4g} to {high:.4g}: take mean and std "
            "out of data_preprocessor, densevl normalises by itself"
        )
    return picture.permute(1, 2, 0).cpu().numpy()  # [H, W, 3]


def _check_untouched(picture: Tensor, sample: SegDataSample) -> None:
    """See that a picture [3, H, W] is the one of the file."""
    size, flip = tuple(picture.shape[1:]), sample.metainfo.get("flip")
    original = tuple(sample.metainfo.get("ori_shape", size)[:2])
    if size != original or flip:
        came = "a flipped one" if flip else f"{size[1]}x{size[0]} pixels"
        raise ConfigError(
            f"expected the picture of the file, {original[1]}x{original[0]} pixels, got {came}: leave Resize, "
            "RandomFlip and padding out of the test pipeline and data_preprocessor, densevl resizes by itself"
        )
