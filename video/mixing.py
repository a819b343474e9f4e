"""Mixing the clips of a batch: mixup and cutmix, the same box in all frames, with soft targets."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from densevl.core.errors import ShapeError, UsageError
from video.boxes import Box

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor


def smooth_labels(labels: Tensor, num_classes: int, *, smoothing: float = 0.1) -> Tensor:
    """Labels as soft targets: a part of the weight is spread evenly over all classes.

    Args:
        labels: [B] int64 in [0, num_classes).
        num_classes: K.
        smoothing: the part that is spread, in [0, 1).

    Returns:
        [B, K] float32, rows of sum 1: smoothing / K, and 1 - smoothing more at the label.

    Raises:
        ShapeError: the labels are not [B] or not within the classes.
        UsageError: smoothing is not in [0, 1).

    Source: Szegedy et al., CVPR 2016, section 7.
    """
    import torch

    if not 0 <= smoothing < 1:
        raise UsageError(f"smoothing must be in [0, 1), got {smoothing}")
    if labels.ndim != 1 or (len(labels) and not 0 <= int(labels.min()) <= int(labels.max()) < num_classes):
        raise ShapeError(f"expected labels [B] in [0, {num_classes}), got {list(labels.shape)}: {labels.tolist()[:8]}")
    spread = torch.full((len(labels), num_classes), smoothing / num_classes, device=labels.device)
    return spread.scatter(1, labels[:, None], 1 - smoothing + smoothing / num_classes)  # [B, K]


def mixup(clips: Tensor, targets: Tensor, *, lam: float, partner: Tensor) -> tuple[Tensor, Tensor]:
    """Every clip blended with its partner.

    Args:
        clips: [B, T, C, H, W] float.
        targets: [B, K] float.
        lam: weight of the clip itself, in [0, 1].
        partner: [B] int64, the row that each clip is blended with.

    Returns:
        (clips, targets), blended by the same weight.

    Source: Zhang et al., ICLR 2018, equation 1.
    """
    return _blend(clips, lam, partner), _blend(targets, lam, partner)


def cutmix(clips: Tensor, targets: Tensor, *, box: Box, partner: Tensor) -> tuple[Tensor, Tensor]:
    """A box of every clip, the same in all frames, replaced by that of its partner.

    Args:
        clips: [B, T, C, H, W]; not changed.
        targets: [B, K] float.
        box: the part that is replaced.
        partner: [B] int64, the row that each box is taken from.

    Returns:
        (clips, targets); the targets are blended by the part of the frame that was left.

    Source: Yun et al., ICCV 2019, equation 1.
    """
    top, left, rows, columns = box
    part = (..., slice(top, top + rows), slice(left, left + columns))
    mixed = clips.clone()
    mixed[part] = clips[partner][part]
    kept = 1 - rows * columns / (clips.shape[-2] * clips.shape[-1])
    return mixed, _blend(targets, kept, partner)


def cutmix_box(height: int, width: int, *, lam: float, centre: tuple[int, int]) -> Box:
    """The box that leaves a part `lam` of a frame, cut off at the frame's border.

    Args:
        height: rows of the frame.
        width: columns of the frame.
        lam: part of the area that stays, in [0, 1], before the cut at the border.
        centre: (row, column) of the box's middle.

    Returns:
        The box: sides 2 * (int(side * sqrt(1 - lam)) // 2) around the centre, within the frame.

    Source: Yun et al., ICCV 2019, equation 2.
    """
    ends = []
    for side, middle in ((height, centre[0]), (width, centre[1])):
        half = int(side * math.sqrt(1 - lam)) // 2
        ends.append((max(0, middle - half), min(side, middle + half)))
    (top, bottom), (left, right) = ends
    return Box(top, left, bottom - top, right - left)


@dataclass(frozen=True)
class ClipMixer:
    """Mixes every batch of training, by cutmix or by mixup.

    Attributes:
        mixup_alpha: both parameters of the Beta distribution of mixup's weight.
        cutmix_alpha: both parameters of the Beta distribution of the part that cutmix leaves.
        cutmix_probability: how often cutmix is taken.

    Source: X-CLIP (ECCV 2022), the released training code.
    """

    mixup_alpha: float = 0.8
    cutmix_alpha: float = 1.0
    cutmix_probability: float = 0.5

    def takes_cutmix(self, rng: np.random.RandomState) -> bool:
        """Draw whether the next batch is mixed by cutmix."""
        return bool(rng.random_sample() < self.cutmix_probability)

    def __call__(self, clips: Tensor, targets: Tensor, rng: np.random.RandomState) -> tuple[Tensor, Tensor]:
        """[B, T, C, H, W] and [B, K] -> both mixed, of the same shapes."""
        import torch

        cut = self.takes_cutmix(rng)
        alpha = self.cutmix_alpha if cut else self.mixup_alpha
        lam = float(rng.beta(alpha, alpha))
        partner = torch.from_numpy(rng.permutation(len(clips))).to(clips.device)
        if not cut:
            return mixup(clips, targets, lam=lam, partner=partner)
        height, width = clips.shape[-2:]
        box = cutmix_box(height, width, lam=lam, centre=(rng.randint(height), rng.randint(width)))
        return cutmix(clips, targets, box=box, partner=partner)


def _blend(rows: Tensor, lam: float, partner: Tensor) -> Tensor:
    return rows * lam + rows[partner] * (1 - lam)
