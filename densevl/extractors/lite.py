"""Dense features of `lite`: one small ImageNet net at two scales."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from densevl.backbones.lite import LiteModel
from densevl.core.errors import ShapeError
from densevl.core.structures import FeatureMap

PICTURE_SHARE = 0.5  # of the picture's mean is taken from every patch: what is everywhere names nothing
USUAL_SHARE = 1.5  # and this much of what the net gives for pictures at large


class LiteExtractor(nn.Module):
    """Pixels [B, 3, H, W] in [0, 1] -> FeatureMap: features [B, 1280, h, w], guide [B, 80, h, w], stride 32.

    The net sees the pixels and a half-size copy: the first finds small things and edges, the second what fills the
    picture. Each gives unit vectors, and the features are their mean (so a head takes the dot product as it is).

    Args:
        lite_model: the backbone.
    """

    stride = 32

    def __init__(self, lite_model: LiteModel) -> None:
        super().__init__()
        self.lite_model = lite_model

    def forward(self, pixels: Tensor) -> FeatureMap:
        """Extract.

        Raises:
            ShapeError: not float pixels [B, 3, H, W].
        """
        if pixels.ndim != 4 or pixels.shape[1] != 3 or not pixels.is_floating_point():
            raise ShapeError(f"expected float pixels [B, 3, H, W], got {pixels.dtype} {tuple(pixels.shape)}")
        height, width = (-(-side // self.stride) for side in pixels.shape[2:])
        pixels = pad_to_multiple(pixels, 2 * self.stride)
        fine, guide = self.lite_model.encode_image(pixels)
        coarse, _ = self.lite_model.encode_image(F.avg_pool2d(pixels, 2))
        coarse = F.interpolate(coarse, size=fine.shape[2:], mode="bilinear", align_corners=False)
        features = (self._centre(fine[..., :height, :width]) + self._centre(coarse[..., :height, :width])) / 2
        guide = F.avg_pool2d(guide, 2)[..., :height, :width]  # [B, 80, h, w]
        return FeatureMap(features, guide - guide.mean(dim=(2, 3), keepdim=True))

    def _centre(self, features: Tensor) -> Tensor:
        usual = self.lite_model.usual_features[:, None, None]
        features = features - PICTURE_SHARE * features.mean(dim=(2, 3), keepdim=True) - USUAL_SHARE * usual
        return F.normalize(features, dim=1)


def pad_to_multiple(pixels: Tensor, multiple: int) -> Tensor:
    """Repeat the last row and column until both sides [B, 3, H, W] are multiples."""
    right, bottom = -pixels.shape[3] % multiple, -pixels.shape[2] % multiple
    return F.pad(pixels, (0, right, 0, bottom), mode="replicate")
