"""Every thing in a picture as a mask, without words: SAM asked at a grid of points."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from densevl.backbones.sam import SAMBackbone
from densevl.core.errors import ShapeError, UsageError

if TYPE_CHECKING:
    from segment_anything import SamPredictor

_MASK_NUMBERS = 1 << 26  # float32 of masks at picture size that are held at a time: 256 MB
_MOST_POINTS_A_SIDE = 512
_MOST_POINTS = 64  # at a time; the published number


@dataclass(frozen=True)
class MaskSettings:
    """What decides which masks are kept; the published numbers.

    Attributes:
        points_per_side: SAM is asked at that many points squared.
        pred_iou_thresh: least predicted IoU of a mask.
        stability_score_thresh: least IoU of a mask with itself at another cut.
        min_mask_region_area: smaller pieces and holes are removed, in pixels; 0: none.
    """

    points_per_side: int = 32
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    min_mask_region_area: int = 0

    def __post_init__(self) -> None:
        """Check the ranges."""
        if not 1 <= self.points_per_side <= _MOST_POINTS_A_SIDE or self.min_mask_region_area < 0:
            raise UsageError(
                f"expected 1 to {_MOST_POINTS_A_SIDE} points a side and no area below 0, got "
                f"{self.points_per_side}, {self.min_mask_region_area}"
            )
        if not (math.isfinite(self.pred_iou_thresh) and math.isfinite(self.stability_score_thresh)):
            raise UsageError(f"expected numbers, got {self.pred_iou_thresh} and {self.stability_score_thresh}")


@dataclass(frozen=True, eq=False)
class PictureMasks:
    """The masks of a picture.

    Attributes:
        size: (H, W) of the picture.
        records: one a mask, the largest first: segmentation (COCO's compressed RLE), area (pixels), bbox (x y width
            height), predicted_iou, stability_score, point_coords (x y of the point that was asked at).
        header: what the masks came from.
    """

    size: tuple[int, int]
    records: list[dict[str, Any]]
    header: Mapping[str, Any] = field(default_factory=dict)

    def label_map(self) -> np.ndarray:
        """[H, W] int64: the number of the smallest mask at each pixel; `len(records)` where there is none."""
        from pycocotools import mask as coco_mask

        numbers = np.full(self.size, len(self.records), dtype=np.int64)
        for number, record in enumerate(self.records):
            numbers[coco_mask.decode(record["segmentation"]).astype(bool)] = number
        return numbers


class MaskGenerator:
    """segment_anything's SamAutomaticMaskGenerator over our encoder, so that a picture is encoded once for all.

    Args:
        sam: draws the masks.
        settings: see MaskSettings.
        header: what is written beside the masks: the model's name, its weights.
    """

    def __init__(
        self, sam: SAMBackbone, settings: MaskSettings = MaskSettings(), *, header: Mapping[str, Any] | None = None
    ) -> None:
        from segment_anything import SamAutomaticMaskGenerator

        self.settings, self._side = settings, sam.image_size
        self.header = {**(header or {}), "settings": asdict(settings)}
        self._generator = SamAutomaticMaskGenerator(sam.sam, output_mode="coco_rle", **asdict(settings))
        self._generator.predictor = _make_predictor(sam)

    @torch.inference_mode()
    def predict(self, picture: np.ndarray) -> PictureMasks:
        """Find the masks of a picture.

        Args:
            picture: uint8 RGB [H, W, 3].

        Raises:
            ShapeError: it is no such picture.
        """
        if picture.ndim != 3 or picture.shape[2] != 3 or picture.dtype != np.uint8 or picture.size == 0:
            raise ShapeError(f"expected a picture uint8 RGB [H, W, 3], got {picture.dtype} {picture.shape}")
        size = (picture.shape[0], picture.shape[1])
        # SAM answers with three masks a point, each enlarged to its own size and then to the picture's
        at_once = _MASK_NUMBERS // (3 * max(size[0] * size[1], self._side**2))
        self._generator.points_per_batch = min(_MOST_POINTS, max(1, at_once))
        # thresholds of 0 leave masks without a pixel in, the stability of which is no number
        records = [_plain(record) for record in self._generator.generate(picture) if record["area"]]
        records.sort(key=lambda record: -record["area"])
        return PictureMasks(size, records, self.header)


def _plain(record: Mapping[str, Any]) -> dict[str, Any]:
    """A record of segment_anything in JSON values; a point and scores rounded, so that files stay small."""
    return {
        "segmentation": record["segmentation"],
        "area": int(record["area"]),
        "bbox": [float(number) for number in record["bbox"]],
        "predicted_iou": round(float(record["predicted_iou"]), 6),
        "stability_score": round(float(record["stability_score"]), 6),
        "point_coords": [round(float(number), 3) for number in record["point_coords"][0]],
    }


def _make_predictor(sam: SAMBackbone) -> SamPredictor:
    """segment_anything's predictor, its pictures encoded by our view."""
    from segment_anything import SamPredictor

    class Predictor(SamPredictor):  # type: ignore[misc]
        def set_image(self, image: np.ndarray, image_format: str = "RGB") -> None:
            """A picture uint8 RGB [H, W, 3] to ask about."""
            self.reset_image()
            view = sam.fit(np.ascontiguousarray(image))
            self.original_size, self.input_size = image.shape[:2], tuple(view.shape[2:])
            self.features = sam.encode_image(view)
            self.is_image_set = True

    return Predictor(sam.sam)
