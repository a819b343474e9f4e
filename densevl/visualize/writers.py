"""The kinds of output of a run, each a core.stages.Writer: a result becomes the bytes of one file, always the same."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from pathlib import Path
from types import MappingProxyType

import numpy as np
from PIL import Image

from densevl.core.errors import UsageError
from densevl.core.files import write_atomic
from densevl.core.stages import Writer
from densevl.core.structures import WIDEST_8_BIT, ScoreMap, Segmentation
from densevl.visualize.overlay import draw_overlay
from densevl.visualize.palette import png_palette
from densevl.visualize.regions import region_features

_PNG_LEVEL = 3  # label maps: 3 times faster than level 6 and a quarter larger
_JPEG_QUALITY = 90


class LabelsWriter:
    """Class ids as PNG: 8 bit with a palette (pixel value = class id, 255 no label), 16 bit grey above 255 classes."""

    kind = "labels"

    def path(self, name: str) -> str:
        """labels/NAME.png."""
        return f"labels/{name}.png"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        """The PNG of `result.label_map`; name and picture are not needed."""
        return encode_labels(result)


class OverlayWriter:
    """The picture with colours and a legend as JPEG."""

    kind = "overlay"

    def path(self, name: str) -> str:
        """overlay/NAME.jpg."""
        return f"overlay/{name}.jpg"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        """The JPEG of draw_overlay."""
        return encode_jpeg(draw_overlay(picture, result.label_map, result.class_names))


class ScoresWriter:
    """The scores behind the labels at feature resolution as npz.

    Arrays: scores float16 [W, Q, h, w], class_index int64 [Q] (the class of each row: a class may have several, one a
    query), muted bool [Q] (rows that win no pixel), logits bool (a softmax over all rows comes last), boxes int64
    [W, 4] (x0 y0 x1 y1 on the canvas; none: [0, 4], one map over the whole picture), canvas int64 (H', W'), extent
    float64 (height, width), class_names [K].
    """

    kind = "scores"

    def path(self, name: str) -> str:
        """scores/NAME.npz."""
        return f"scores/{name}.npz"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        """The npz of `result.score_map`.

        Raises:
            UsageError: the result was made without scores.
        """
        if result.score_map is None:
            raise UsageError(f"{name}: the result holds no scores to save; ask for them when it is predicted")
        return _encode_scores(result.score_map, result.class_names)


class ConfidenceWriter:
    """The winning probability as 8-bit grey PNG: round(255 * p)."""

    kind = "confidence"

    def path(self, name: str) -> str:
        """confidence/NAME.png."""
        return f"confidence/{name}.png"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        """The PNG of `result.confidence`."""
        grey = np.rint(np.clip(result.confidence, 0, 1) * np.float32(255)).astype(np.uint8)
        return _png(Image.fromarray(grey))


class GeoJSONWriter:
    """Regions as polygons in pixel coordinates: regions.region_features in a FeatureCollection."""

    kind = "geojson"

    def path(self, name: str) -> str:
        """geojson/NAME.geojson."""
        return f"geojson/{name}.geojson"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        """The FeatureCollection as UTF-8 JSON."""
        collection = {"type": "FeatureCollection", "features": region_features(result)}
        return json.dumps(collection, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


_ALL: tuple[Writer, ...] = (LabelsWriter(), OverlayWriter(), ScoresWriter(), ConfidenceWriter(), GeoJSONWriter())
WRITERS: Mapping[str, Writer] = MappingProxyType({writer.kind: writer for writer in _ALL})


def encode_labels(result: Segmentation) -> bytes:
    """The label map of a result as the bytes of a PNG."""
    image = Image.fromarray(result.label_map)
    if len(result.class_names) <= WIDEST_8_BIT:
        image.putpalette(png_palette(len(result.class_names)))  # 256 entries: Pillow keeps 8 bits a pixel
    return _png(image)


def save_segmentation(result: Segmentation, path: Path, drawing: np.ndarray | None = None) -> Path:
    """Write a result: `.png` the label map, `.jpg` its drawing.

    Args:
        result: what to save.
        path: its suffix says what is written.
        drawing: [H', W', 3] uint8 RGB, the overlay with its legend; needed for `.jpg`.

    Returns:
        The path.

    Raises:
        UsageError: another suffix.
        OutputError: the file cannot be written.
    """
    suffix = path.suffix.lower()
    if suffix == ".png":
        write_atomic(path, encode_labels(result))
    elif suffix in (".jpg", ".jpeg") and drawing is not None:
        write_atomic(path, encode_jpeg(drawing))
    else:
        raise UsageError(f"cannot save as '{path.name}': give a name in .png (the labels) or .jpg (the overlay)")
    return path


def _encode_scores(score_map: ScoreMap, class_names: tuple[str, ...]) -> bytes:
    boxes = np.zeros((0, 4), np.int64) if score_map.boxes is None else score_map.boxes.cpu().numpy()
    rows = score_map.scores.shape[1]
    own = np.arange(rows) if score_map.class_index is None else score_map.class_index.cpu().numpy()
    muted = np.zeros(rows, dtype=bool) if score_map.muted is None else score_map.muted.cpu().numpy()
    stream = io.BytesIO()
    np.savez(  # stamps every member with 1 January 1980
        stream,
        scores=score_map.scores.detach().half().cpu().numpy(),
        class_index=own.astype(np.int64),
        muted=muted,
        logits=np.array(score_map.logits),
        boxes=boxes,
        canvas=np.array(score_map.canvas, np.int64),
        extent=np.array(score_map.extent, np.float64),
        class_names=np.array(class_names, dtype=np.str_),
    )
    return stream.getvalue()


def _png(image: Image.Image) -> bytes:
    stream = io.BytesIO()
    image.save(stream, "PNG", compress_level=_PNG_LEVEL)
    return stream.getvalue()


def encode_jpeg(drawing: np.ndarray) -> bytes:
    """A drawing [H, W, 3] uint8 RGB as the bytes of a JPEG."""
    stream = io.BytesIO()
    Image.fromarray(drawing).save(stream, "JPEG", quality=_JPEG_QUALITY)
    return stream.getvalue()
