"""Coarse labels -> prompts of SAM: regions at half size, a point, a box and a mask for each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from densevl.backbones.sam import SAMBackbone
from densevl.ops.probability import ClassProbabilities
from densevl.ops.regions import Region, connected_regions

_NONE = -1  # no class


@dataclass(frozen=True, eq=False)
class CoarseClass:
    """A class and its regions.

    Attributes:
        class_id: of the class.
        probability: [h, w], of the class at half size.
        regions: at half size, at least one.
    """

    class_id: int
    probability: Tensor
    regions: list[Region]


@dataclass(frozen=True, eq=False)
class Prompts:
    """Prompts of n regions of a class, as `SAMBackbone.decode` takes them.

    Attributes:
        points: [n, 1, 2], x y in pixels of the fitted picture; each lies in its region.
        boxes: [n, 4], likewise.
        masks: [1, 4g, 4g] or [1, 1, 4g, 4g], the same for all.
    """

    points: Tensor
    boxes: Tensor
    masks: Tensor

    def split(self, count: int) -> Iterator[Prompts]:
        """The same, `count` regions at a time."""
        for points, boxes in zip(self.points.split(count), self.boxes.split(count), strict=True):
            yield replace(self, points=points, boxes=boxes)


def halved_size(size: tuple[int, int]) -> tuple[int, int]:
    """(h, w), half of (H, W), at least a pixel."""
    return max(1, size[0] // 2), max(1, size[1] // 2)


def pick_nearest(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Values [h, w], integers or bool, at another size [H, W]: those of the nearest pixels above and to the left."""
    floats = torch.from_numpy(values.astype(np.float32))  # exact up to 2^24
    return F.interpolate(floats[None, None], size=size, mode="nearest")[0, 0].numpy().astype(values.dtype)


def coarse_classes(
    label_map: np.ndarray, probabilities: ClassProbabilities, *, coarse_thresh: float, minimal_area: int
) -> Iterator[CoarseClass]:
    """The classes of a label map that have regions.

    Args:
        label_map: [H, W] integer ids.
        probabilities: of all classes at that size.
        coarse_thresh: pixels whose largest probability is below belong to no region; 0: all do.
        minimal_area: smaller regions are left out, in pixels at half size.

    Yields:
        Classes in ascending order.
    """
    half = halved_size(probabilities.size)
    ids = pick_nearest(label_map, half).astype(np.int64)
    if coarse_thresh > 0:
        ids[(_largest(probabilities, half, least=coarse_thresh) < coarse_thresh).numpy()] = _NONE
    for class_id in np.intersect1d(ids, np.arange(len(probabilities))).tolist():
        probability = _halve(probabilities[class_id], half)
        regions = connected_regions(ids == class_id, probability.numpy(), least_area=minimal_area)
        if regions and float(probability.max()) >= coarse_thresh:
            yield CoarseClass(class_id, probability, regions)


def _largest(probabilities: ClassProbabilities, half: tuple[int, int], *, least: float) -> Tensor:
    """The largest probability of any class [h, w], exact where it is at least `least`."""
    largest = torch.zeros(half)
    for class_id in range(len(probabilities)):
        if probabilities.ceiling(class_id) >= least:
            torch.maximum(largest, _halve(probabilities[class_id], half), out=largest)
    return largest


def _halve(values: Tensor, half: tuple[int, int]) -> Tensor:
    """[H, W] -> [h, w], bilinear."""
    return F.interpolate(values[None, None], size=half, mode="bilinear", align_corners=False)[0, 0]


def make_prompts(coarse: CoarseClass, sam: SAMBackbone, *, least: float, scale: float) -> Prompts:
    """The regions of a class as prompts, in the published form.

    Args:
        coarse: the class.
        sam: for whom; the prompts are made on its device.
        least: probabilities up to this are 0 in the mask prompt.
        scale: what the others are multiplied with.
    """
    height, width = coarse.probability.shape
    fitted = sam.fitted_size(height, width)
    per_pixel = torch.tensor([fitted[1] / width, fitted[0] / height])  # x y
    points = torch.tensor([region.point for region in coarse.regions], dtype=torch.float32) * per_pixel
    boxes = torch.tensor([region.box for region in coarse.regions], dtype=torch.float32) * per_pixel.repeat(2)
    device = sam.mean.device
    masks = _mask_prompt(coarse.probability, sam.prompt_encoder.mask_input_size, least=least, scale=scale)
    return Prompts(points[:, None].to(device), boxes.to(device), masks.to(device))


def _mask_prompt(probability: Tensor, size: tuple[int, int], *, least: float, scale: float) -> Tensor:
    """Probability [h, w] -> [1, 4g, 4g]: the longer side fitted, the rest 0 at the bottom and right."""
    per_pixel = max(size) * 1.0 / max(probability.shape)
    height, width = (max(1, int(side * per_pixel + 0.5)) for side in probability.shape)
    fitted = F.interpolate(probability[None, None], size=(height, width), mode="bilinear", align_corners=False)[0]
    padded = F.pad(fitted, (0, size[1] - width, 0, size[0] - height))
    return torch.where(padded > least, padded * scale, 0.0)
