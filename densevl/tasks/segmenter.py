"""Segmenter: picture and words -> labels. It holds the parts of one method and conducts them."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from einops import rearrange
from torch import Tensor, nn

from densevl.core.errors import MemoryLimitError, ShapeError
from densevl.core.stages import Extractor, FeatureRefiner, Head, OriginalExtractor, TextEncoder
from densevl.core.structures import ScoreMap, Segmentation, TextBank
from densevl.data.folders import open_source
from densevl.data.pictures import read_picture
from densevl.data.transforms import resize_picture, to_pixels
from densevl.engine.runtime import autocast, is_out_of_memory
from densevl.ops.doubt import doubt_map
from densevl.ops.resize import label_picture
from densevl.tasks.geometry import Geometry
from densevl.tasks.refining import AnyRefiner, refine_labels, refine_scores, split_refiners
from densevl.tasks.thresholds import Threshold, apply_threshold, least_confidence
from densevl.text import encode_classes
from densevl.vocab import ClassList, parse_classes, with_rivals

logger = logging.getLogger(__name__)

Classes = ClassList | Sequence[str] | str | Path


@dataclass(frozen=True)
class _Window:
    """One window on its way through the model."""

    picture: int
    pixels: Tensor  # [1, 3, S, S]
    original: np.ndarray | None  # the whole picture at its own size, where the extractor wants it


class Segmenter(nn.Module):
    """Open-vocabulary segmentation as a choice of steps.

    Args:
        extractor: pixels -> FeatureMap.
        text_encoder: words -> vectors where the features live.
        head: features and vectors -> scores. Where they are logits, windows and pixels are made of logits, and the
            softmax comes last; where they are of queries, so does the best one of each class.
        geometry: resize rule and windows.
        refiners: FeatureMap -> FeatureMap, in order.
        score_refiners: scores -> scores, in order; first those of a window, then those of the picture, then of labels.
        rivals: a class named background (other, unknown) without words of its own stands for a shipped list of
            generic words; False: for its bare name, as the papers have it.
    """

    def __init__(
        self,
        extractor: Extractor,
        text_encoder: TextEncoder,
        *,
        head: Head,
        geometry: Geometry,
        refiners: Sequence[FeatureRefiner] = (),
        score_refiners: Sequence[AnyRefiner] = (),
        rivals: bool = True,
    ) -> None:
        super().__init__()
        self.extractor, self.text_encoder, self.head = extractor, text_encoder, head
        self.refiners, self.geometry, self.rivals = tuple(refiners), geometry, rivals
        self.score_refiners, self.picture_refiners, self.label_refiners = split_refiners(score_refiners)
        # registered, so that .to(device) moves them too
        self._movable = nn.ModuleList(part for part in (*refiners, *score_refiners) if isinstance(part, nn.Module))
        # what densevl.load knows: its name and config for the record, and one line on what it cannot do for the user
        self.name = self.config_text = self.limits = ""
        self.window_batch = 1  # windows in one forward pass
        self.dtype = torch.float32
        self.eval().requires_grad_(False)

    @property
    def device(self) -> torch.device:
        """Where the model runs."""
        return next((parameter.device for parameter in self.parameters()), torch.device("cpu"))

    def encode(self, classes: Classes, templates: str | Sequence[str] | None = None) -> TextBank:
        """Text vectors [Q, D] of a class list, computed once a run."""
        words = classes if isinstance(classes, ClassList) else parse_classes(classes)
        words = with_rivals(words) if self.rivals else words
        return encode_classes(words, self.text_encoder, templates).to(self.device)

    def predict(self, image: np.ndarray | str | Path, classes: Classes, *, threshold: Threshold = 0.0) -> Segmentation:
        """Label one picture.

        Args:
            image: uint8 RGB [H, W, 3], or a path.
            classes: names, a `parse_classes` text or file, or a ClassList.
            threshold: least probability of a label, for all classes or by name; pixels below go to the background
                class if there is one, else they stay without a label.

        Raises:
            PictureError: the file is no readable picture.
            ShapeError: the array is not uint8 [H, W, 3].
        """
        source = Path(image) if isinstance(image, (str, Path)) else None
        picture = read_picture(source) if source is not None else np.asarray(image)
        return replace(self.predict_batch([picture], self.encode(classes), threshold=threshold)[0], source=source)

    def predict_folder(
        self, source: str | Path, classes: Classes, *, threshold: Threshold = 0.0
    ) -> Iterator[Segmentation]:
        """Label every picture of a source (folder, glob, list file), one at a time: memory stays flat.

        Raises:
            PictureError: at the first unreadable file; `densevl segment` skips and lists those.
        """
        bank = self.encode(classes)
        pictures = open_source(str(source))
        for index, path in enumerate(pictures.paths):
            result = self.predict_batch([pictures.read(index)[0]], bank, threshold=threshold)[0]
            yield replace(result, source=path)

    def predict_batch(
        self,
        pictures: Sequence[np.ndarray],
        bank: TextBank,
        *,
        threshold: Threshold = 0.0,
        keep_scores: bool = False,
    ) -> list[Segmentation]:
        """Label several pictures; their windows share forward passes. The scores stay at feature resolution.

        Args:
            pictures: uint8 RGB [H, W, 3] each.
            bank: the words.
            threshold: as in `predict`. Labels are refined behind it, as published: what had become background can
                come to lie in another class's mask, and what a mask gives has no threshold.
            keep_scores: put the scores into the results.

        Raises:
            ShapeError: an array is no picture. UsageError: the threshold is no probability, or of no class.
        """
        least_confidence(bank.class_names, threshold)
        # where a part looks at whole pictures twice, one is done before the next, so that what was seen is still there
        step = 1 if self.label_refiners and isinstance(self.extractor, OriginalExtractor) else max(1, len(pictures))
        results = []
        for start in range(0, len(pictures), step):
            group = pictures[start : start + step]
            for score_map, picture in zip(self.score(group, bank), group, strict=True):
                result = apply_threshold(_label(score_map, picture.shape[:2], bank, keep_scores), threshold)
                results.append(refine_labels(result, self.label_refiners, score_map=score_map, picture=picture))
        return results

    def score(self, pictures: Sequence[np.ndarray], bank: TextBank) -> list[ScoreMap]:
        """Class scores of pictures (uint8 RGB [H, W, 3]) at feature resolution, on the CPU in float32."""
        for picture in pictures:
            if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
                raise ShapeError(f"expected a picture uint8 RGB [H, W, 3], got {picture.dtype} {picture.shape}")
        score_maps: list[ScoreMap] = []
        try:
            score_maps = self._score(pictures, bank, self.geometry)
        except Exception as error:
            if not is_out_of_memory(error):
                raise
        # outside the handler: inside it, the failed attempt would still be held
        score_maps = score_maps or [self._score_in_tiles(picture, bank) for picture in pictures]
        return [self._refine(*pair, bank) for pair in zip(score_maps, pictures, strict=True)]

    @torch.inference_mode()
    def _refine(self, score_map: ScoreMap, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        return refine_scores(score_map, self.picture_refiners, picture=picture, bank=bank)

    def _score_in_tiles(self, picture: np.ndarray, bank: TextBank) -> ScoreMap:
        canvas = self.geometry.canvas(*picture.shape[:2])
        geometry: Geometry | None = self.geometry
        while geometry is not None:
            try:
                return self._score([picture], bank, geometry)[0]
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            geometry = geometry.smaller(canvas)
            if geometry is not None:
                logger.warning("out of memory: went on with %d px tiles; labels can differ at seams", geometry.window)
        raise MemoryLimitError(
            f"out of memory for a picture of {picture.shape[1]}x{picture.shape[0]} even in the smallest tiles: "
            "give a smaller --short-side or --model, or close other programs"
        )

    @torch.inference_mode()
    def _score(self, pictures: Sequence[np.ndarray], bank: TextBank, geometry: Geometry) -> list[ScoreMap]:
        canvases = [geometry.canvas(*picture.shape[:2]) for picture in pictures]
        boxes = [geometry.boxes(canvas) for canvas in canvases]
        by_shape: dict[tuple[int, ...], list[_Window]] = defaultdict(list)
        for index, (picture, canvas) in enumerate(zip(pictures, canvases, strict=True)):
            pixels = to_pixels(resize_picture(picture, canvas), self.device)  # [1, 3, H', W']
            for x0, y0, x1, y1 in [(0, 0, canvas[1], canvas[0])] if boxes[index] is None else boxes[index].tolist():
                window = pixels[:, :, y0:y1, x0:x1]
                original = picture if boxes[index] is None and isinstance(self.extractor, OriginalExtractor) else None
                shape = (*window.shape, *(() if original is None else original.shape))
                by_shape[shape].append(_Window(index, window, original))
        scores: list[list[Tensor]] = [[] for _ in pictures]
        for windows in by_shape.values():  # windows of one picture have one shape, so their order is kept
            for window, score in zip(windows, self._forward_all(windows, bank), strict=True):
                scores[window.picture].append(score)
        class_index = bank.class_index.cpu() if self.head.over_queries else None
        return [
            ScoreMap(
                scores=(stacked := torch.stack(scores[index])),  # [W, K, h, w], or Q for K
                canvas=canvases[index],
                extent=self._extent(stacked, canvases[index], boxes[index]),
                boxes=boxes[index],
                logits=not self.head.softmax,
                class_index=class_index,
            )
            for index in range(len(pictures))
        ]

    def _extent(self, scores: Tensor, canvas: tuple[int, int], boxes: Tensor | None) -> tuple[int, int]:
        """Pixels that a grid of scores [W, K, h, w] spans: whole patches, or the window exactly."""
        if self.extractor.stride is not None:
            return scores.shape[2] * self.extractor.stride, scores.shape[3] * self.extractor.stride
        if boxes is None:
            return canvas
        x0, y0, x1, y1 = boxes[0].tolist()
        return y1 - y0, x1 - x0

    def _forward_all(self, windows: Sequence[_Window], bank: TextBank) -> Iterator[Tensor]:
        start = 0
        while start < len(windows):
            batch = windows[start : start + self.window_batch]
            try:
                originals = [window.original for window in batch if window.original is not None]
                scores = self.forward(torch.cat([window.pixels for window in batch]), bank, originals or None)
            except Exception as error:
                if len(batch) == 1 or not is_out_of_memory(error):
                    raise
                self.window_batch = len(batch) // 2
                logger.warning("out of memory: went on with %d windows a pass", self.window_batch)
                continue
            yield from scores.float().cpu()
            start += len(batch)

    def forward(self, pixels: Tensor, bank: TextBank, originals: Sequence[np.ndarray] | None = None) -> Tensor:
        """Pixels [B, 3, H, W] in [0, 1] -> scores [B, K, h, w], or [B, Q, h, w] where the head scores queries.

        Args:
            pixels: of pictures or windows.
            bank: the words.
            originals: the pictures at their own size, for an extractor that sees them beside the pixels.
        """
        with autocast(pixels.device, self.dtype):
            feature_map = self.extractor(pixels) if originals is None else self.extractor(pixels, originals)
            for refiner in self.refiners:
                feature_map = refiner(feature_map)
        by_pixel = rearrange(feature_map.features.float(), "b d h w -> b h w d")
        scores = rearrange(self.head(by_pixel, bank), "b h w k -> b k h w")
        for score_refiner in self.score_refiners:
            scores = score_refiner(scores, pixels=pixels, feature_map=feature_map, bank=bank)
        return scores


def _label(score_map: ScoreMap, size: tuple[int, int], bank: TextBank, keep_scores: bool) -> Segmentation:
    labels, confidence = label_picture(score_map, size)
    return Segmentation(
        label_map=labels,
        confidence=confidence,
        doubt_map=doubt_map(score_map),
        class_names=bank.class_names,
        score_map=score_map if keep_scores else None,
    )
