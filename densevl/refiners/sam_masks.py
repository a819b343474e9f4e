"""SAM over coarse labels: every region becomes a prompt, and SAM's mask of it the region's new shape."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from densevl.backbones.sam import SAMBackbone
from densevl.core.errors import ShapeError, UsageError
from densevl.core.structures import ScoreMap, Segmentation
from densevl.data.transforms import resize_picture
from densevl.ops.probability import ClassProbabilities
from densevl.ops.regions import add_region
from densevl.refiners.sam_prompts import CoarseClass, Prompts, coarse_classes, halved_size, make_prompts, pick_nearest

_REGIONS_AT_ONCE = 4  # more take longer on a CPU, and memory
_ROUNDING = 1e-6  # of a predicted IoU: whether a region survives must not hang on how many are decoded at once


@dataclass(frozen=True, eq=False)
class SeenPicture:
    """A picture as SAM's decoder sees it.

    Attributes:
        embedding: [1, C, g, g].
        fitted: (H', W') of what was encoded, without its padding.
        size: (H, W) of the picture as it was brought to multiples of the stride.
    """

    embedding: Tensor
    fitted: tuple[int, int]
    size: tuple[int, int]


@dataclass(frozen=True, eq=False)
class ClassMasks:
    """What SAM made of the regions of one class.

    Attributes:
        class_id: of the class.
        probability: [H, W], the coarse one.
        logits: [H, W], the largest of the masks that survived; None where none did.
        failed: [h, w] bool, the regions that did not survive, at half size.
    """

    class_id: int
    probability: Tensor
    logits: Tensor | None
    failed: np.ndarray

    @property
    def scores(self) -> Tensor:
        """[H, W], sigmoid of the logit times the probability; 0 outside all masks."""
        if self.logits is None:
            return torch.zeros_like(self.probability)
        return torch.where(self.logits > 0, self.logits.sigmoid() * self.probability, 0.0)


class SAMMaskRefiner(nn.Module):
    """Labels of a picture -> labels within SAM's masks, of any model and any number of classes.

    At half size, every connected region of a class is a prompt: the point of its largest probability, its box, and the
    class's probability as a mask. SAM answers with one mask a region and says how good it is; those above `iou_thresh`
    survive. A pixel takes the class of the largest score, sigmoid of the mask's logit times the coarse probability,
    among the masks it lies in; in none it keeps its label. Where no region survives the result stays as it is.

    The confidence of a pixel becomes that score, or the coarse probability of its class within a region that did not
    survive and outside all masks; published, the latter are 0. The doubt stays the model's own. Pixels without a label
    belong to no region; a mask gives them one.

    The mask prompt, of which SAM's encoder was made for [n, 1, H, W], has two forms:
    - "published" hands in [1, H, W]. segment_anything's LayerNorm2d then normalises over the rows of the picture in the
      place of the channels. The published figures were made so; it is the default.
    - "corrected" hands in [1, 1, H, W], normalised over the channels as SAM was trained. Embeddings, predicted IoU and
      masks differ visibly, and `iou_thresh` was chosen for the other.

    Source: Shi et al., "Harnessing Vision Foundation Models for High-Performance, Training-Free Open Vocabulary
    Segmentation" (Trident), ICCV 2025, section 3.4 and code.

    Args:
        sam: draws the masks. Where Trident's extractor holds the same one, a picture is encoded once for both.
        iou_thresh: least predicted IoU of a mask, exclusive.
        coarse_thresh: pixels whose largest probability is below belong to no region; 0: all do.
        minimal_area: smaller regions are no prompts, in pixels at half size.
        mask_scale: what probabilities are multiplied with to be a mask prompt.
        stride: SAM sees the picture stretched to multiples of that, as Trident has it: CLIP's patch; 1: as it is.
        mask_prompt: "published" or "corrected".

    Raises:
        UsageError: a setting is out of its range.
    """

    def __init__(
        self,
        sam: SAMBackbone,
        *,
        iou_thresh: float = 0.8,
        coarse_thresh: float = 0.2,
        minimal_area: int = 225,
        mask_scale: float = 0.005,
        stride: int = 16,
        mask_prompt: Literal["published", "corrected"] = "published",
    ) -> None:
        super().__init__()
        if mask_prompt not in ("published", "corrected"):
            raise UsageError(f"mask_prompt '{mask_prompt}': expected published or corrected")
        if not 0 <= coarse_thresh <= 1 or minimal_area < 1 or stride < 1:
            raise UsageError(
                "expected coarse_thresh in [0, 1], minimal_area and stride of at least 1, got "
                f"{coarse_thresh}, {minimal_area}, {stride}"
            )
        self.sam = sam
        self.iou_thresh, self.coarse_thresh, self.minimal_area = iou_thresh, coarse_thresh, minimal_area
        self.mask_scale, self.stride, self.mask_prompt = mask_scale, stride, mask_prompt

    @torch.inference_mode()
    def relabel(self, result: Segmentation, *, score_map: ScoreMap, picture: np.ndarray) -> Segmentation:
        """Refine.

        Args:
            result: the coarse labels [H, W] of a picture.
            score_map: the scores behind them.
            picture: uint8 RGB [H, W, 3].

        Raises:
            ShapeError: the labels are of another picture.
        """
        size = result.label_map.shape
        if picture.shape[:2] != size:
            raise ShapeError(f"expected labels of the picture, {list(picture.shape[:2])}, got {list(size)}")
        probabilities = ClassProbabilities(score_map, (size[0], size[1]))
        return merge_masks(result, self.class_masks(result.label_map, probabilities, picture))

    def coarse_classes(self, label_map: np.ndarray, probabilities: ClassProbabilities) -> Iterator[CoarseClass]:
        """The classes that have regions to refine."""
        return coarse_classes(
            label_map, probabilities, coarse_thresh=self.coarse_thresh, minimal_area=self.minimal_area
        )

    def class_masks(
        self, label_map: np.ndarray, probabilities: ClassProbabilities, picture: np.ndarray
    ) -> Iterator[ClassMasks]:
        """What SAM makes of each class that has regions; the picture is encoded when the first one is found."""
        seen = None
        for coarse in self.coarse_classes(label_map, probabilities):
            seen = seen or self.see(picture)
            yield self.refine_class(coarse, probabilities[coarse.class_id], seen)

    def see(self, picture: np.ndarray) -> SeenPicture:
        """Encode a picture uint8 RGB [H, W, 3]."""
        height, width = (-(-side // self.stride) * self.stride for side in picture.shape[:2])
        view = self.sam.fit(resize_picture(picture, (height, width)))
        return SeenPicture(self.sam.encode_image(view), (view.shape[2], view.shape[3]), (height, width))

    def prompts(self, coarse: CoarseClass) -> Prompts:
        """The regions of a class as prompts."""
        prompts = make_prompts(coarse, self.sam, least=self.coarse_thresh, scale=self.mask_scale)
        return prompts if self.mask_prompt == "published" else replace(prompts, masks=prompts.masks[None])

    def decode(self, prompts: Prompts, seen: SeenPicture) -> Iterator[tuple[Tensor, Tensor]]:
        """Masks of prompts, few at a time: logits [m, 1, 4g, 4g] and predicted IoU [m]."""
        for part in prompts.split(_REGIONS_AT_ONCE):
            labels = torch.ones(part.points.shape[:2], dtype=torch.int, device=part.points.device)
            logits, iou = self.sam.decode(
                seen.embedding, points=(part.points, labels), boxes=part.boxes, masks=part.masks
            )
            yield logits, iou[:, 0]

    def upscale(self, logits: Tensor, seen: SeenPicture, size: tuple[int, int]) -> Tensor:
        """Mask logits [m, 1, 4g, 4g] -> [m, 1, H, W] at the picture's own size."""
        upscaled = self.sam.upscale(logits, seen.fitted, seen.size)
        return upscaled if seen.size == size else F.interpolate(upscaled, size, mode="bilinear", align_corners=False)

    def refine_class(self, coarse: CoarseClass, probability: Tensor, seen: SeenPicture) -> ClassMasks:
        """Decode the regions of a class and merge the masks that survive."""
        best: Tensor | None = None  # [H, W], the largest logit of any mask
        failed = np.zeros(tuple(coarse.probability.shape), dtype=bool)
        regions = iter(coarse.regions)
        for logits, iou in self.decode(self.prompts(coarse), seen):
            survives = iou > self.iou_thresh + _ROUNDING
            if survives.any():
                largest = self.upscale(logits[survives], seen, tuple(probability.shape)).amax(dim=(0, 1)).cpu()
                best = largest if best is None else torch.maximum(best, largest)
            for good, region in zip(survives.tolist(), regions, strict=False):
                if not good:
                    add_region(failed, region)
        return ClassMasks(coarse.class_id, probability, best, failed)


def merge_masks(result: Segmentation, classes: Iterable[ClassMasks]) -> Segmentation:
    """Labels and confidence from the masks of all classes; the lowest class wins a tie."""
    label_map = result.label_map.copy()
    size = (label_map.shape[0], label_map.shape[1])
    best, probability = torch.zeros(size), torch.zeros(size)
    failed = np.zeros(halved_size(size), dtype=bool)
    for found in classes:
        failed |= found.failed
        better = (scores := found.scores) > best
        label_map[better.numpy()] = found.class_id
        best = torch.where(better, scores, best)
        probability = torch.where(better, found.probability, probability)
    refined = (best > 0).numpy()
    confidence = torch.where(torch.from_numpy(pick_nearest(failed, size)), probability, best).numpy()
    return replace(result, label_map=label_map, confidence=np.where(refined, confidence, result.confidence))
