"""A run of the mask generator over many pictures into one output folder that can be continued."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Literal

import numpy as np

from densevl import __version__
from densevl.core.files import sha256_bytes, write_atomic
from densevl.data import FrameSource, PictureSource
from densevl.data.pictures import shown
from densevl.engine.documents import csv_document
from densevl.engine.journal import Journal
from densevl.engine.pipeline import Failure, Pipeline, fixed_groups
from densevl.tasks.mask_generator import MaskGenerator, PictureMasks
from densevl.tasks.run_documents import RunResult, failed_document, run_document
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


class MaskRun:
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

    def run(self, out: Path, *, progress: Callable[[int], object] = lambda count: None) -> RunResult:
        """Find the masks that are not there yet and write the documents of the run.

        Args:
            out: output folder, made if absent.
            progress: called with the number of pictures just finished.

        Raises:
            OutputError: the folder cannot be written, or another run is writing it.
        """
        started = datetime.now(timezone.utc)
        settings = self.settings()
        with Journal(out / "journal.jsonl") as journal:
            pipeline = Pipeline(
                source=self.source,
                infer=self.infer,
                writers=[MasksWriter(), MaskOverlayWriter()],
                journal=journal,
                settings=sha256_bytes(json.dumps(settings, sort_keys=True).encode()),
                row=self._row,
                on_error=self.on_error,
            )
            count = pipeline.run(fixed_groups(len(self.source), 1), progress)
            self._write_documents(out, journal, count.failed)
        result = RunResult.of(out, count)
        write_atomic(out / "run.json", run_document(settings, result, started=started, batch_size=1))
        return result

    def settings(self) -> dict[str, Any]:
        """All that decides the masks beside the pictures."""
        return {"densevl": __version__, **self.generator.header, "device": self.device}

    def _row(self, index: int, result: PictureMasks) -> dict[str, Any]:
        covered = float((result.label_map() < len(result.records)).mean())
        source = shown(self.source.origin(index))
        return {"source": source, "size": list(result.size), "masks": len(result.records), "covered": round(covered, 6)}

    def _write_documents(self, out: Path, journal: Journal, failed: tuple[Failure, ...]) -> None:
        """What stands beside the masks; made from the journal, so a continued run gives the same bytes."""
        failed_names = {failure.name for failure in failed}
        names = (name for name in self.source.names() if name not in failed_names)
        rows = [(record.name, record.row) for name in names if (record := journal.newest(name))]
        header = ["name", "source", "width", "height", "masks", "covered"]
        lines = [[name, row["source"], *row["size"][::-1], row["masks"], row["covered"]] for name, row in rows]
        write_atomic(out / "summary.csv", csv_document([header, *lines]))
        write_atomic(out / "failed.csv", failed_document(failed))
