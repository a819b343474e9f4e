"""A run of the mask generator over many pictures into one output folder that can be continued."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np

from densevl import __version__
from densevl.core.files import write_atomic
from densevl.data import FrameSource, PictureSource
from densevl.data.pictures import shown
from densevl.engine.documents import csv_document
from densevl.engine.journal import Record
from densevl.tasks.mask_generator import MaskGenerator, PictureMasks
from densevl.tasks.resumable_run import ResumableRun
from densevl.visualize.overlay import draw_overlay
from densevl.visualize.writers import encode_jpeg


class MasksWriter:
    """The masks as JSON: name, height and width of the picture, model, weights, settings, and COCO's annotations."""

    kind = "masks"

    def path(self, name: str) -> str:
        """masks/NAME.json."""
        return f"masks/{name}.json"

    def encode(self, name: str, result: PictureMasks, picture: np.ndarray) -> bytes:
        """The document; the picture is not needed."""
        height, width = result.size
        image = {"name": name, "height": height, "width": width}
        document = {"image": image, **result.header, "annotations": result.records}
        return json.dumps(document, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "replace")


class MaskOverlayWriter:
    """The picture with a colour a mask, small masks over large ones, and a legend of the largest."""

    kind = "overlay"

    def path(self, name: str) -> str:
        """overlay/NAME.jpg."""
        return f"overlay/{name}.jpg"

    def encode(self, name: str, result: PictureMasks, picture: np.ndarray) -> bytes:
        """The JPEG of draw_overlay."""
        names = [f"mask {number}" for number in range(1, len(result.records) + 1)]
        return encode_jpeg(draw_overlay(picture, result.label_map(), names))


class MaskRun(ResumableRun):
    """Everything a run needs; `run()` does it.

    Args:
        generator: the model on its device.
        source: the pictures, or frames of clips.
        device: where the model runs, for the record.
        on_error: skip a picture that fails and list it, or stop.
    """

    def __init__(
        self,
        generator: MaskGenerator,
        source: PictureSource | FrameSource,
        *,
        device: str,
        on_error: Literal["skip", "stop"] = "skip",
    ) -> None:
        self.generator, self.source, self.device, self.on_error = generator, source, device, on_error

    def infer(self, pictures: list[np.ndarray]) -> list[PictureMasks]:
        """The masks of the pictures of one group."""
        return [self.generator.predict(picture) for picture in pictures]

    def writers(self) -> list[Any]:
        """Masks and overlay."""
        return [MasksWriter(), MaskOverlayWriter()]

    def settings(self) -> dict[str, Any]:
        """All that decides the masks beside the pictures."""
        return {"densevl": __version__, **self.generator.header, "device": self.device}

    def row(self, index: int, result: PictureMasks) -> dict[str, Any]:
        """Source, size [H, W], how many masks, and the share of the picture that they cover."""
        covered = float((result.label_map() < len(result.records)).mean())
        source = shown(self.source.origin(index))
        return {"source": source, "size": list(result.size), "masks": len(result.records), "covered": round(covered, 6)}

    def write_documents(self, out: Path, records: Sequence[Record], settings: Mapping[str, Any]) -> None:
        """summary.csv."""
        rows = [(record.name, record.row) for record in records]
        header = ["name", "source", "width", "height", "masks", "covered"]
        lines = [[name, row["source"], *row["size"][::-1], row["masks"], row["covered"]] for name, row in rows]
        write_atomic(out / "summary.csv", csv_document([header, *lines]))
