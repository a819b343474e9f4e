"""--dry-run: what a run would take, measured on its largest picture; nothing is written."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from densevl.core.errors import SourceError
from densevl.engine.runtime import available_memory, peak_memory
from densevl.tasks.folder_run import FolderRun


def measure(folder_run: FolderRun) -> dict[str, Any]:
    """Files, windows, memory and time.

    Returns:
        files, unreadable, windows (of all pictures), largest_picture, peak_memory_mb (of this process, model included),
        available_memory_mb, estimated_seconds, model, device.

    Raises:
        SourceError: no picture can be read.
    """
    source, segmenter = folder_run.source, folder_run.segmenter
    sizes = [size for index in range(len(source)) if (size := source.size(index)) is not None]
    if not sizes:
        raise SourceError(f"none of the {len(source)} pictures can be read; the first is {source.paths[0]}")
    windows = sum(segmenter.geometry.count(*size) for size in sizes)
    height, width = max(sizes, key=lambda size: size[0] * size[1])
    blank = np.zeros((height, width, 3), dtype=np.uint8)
    folder_run.infer([blank])  # compiles and warms what the first picture of a run pays for once
    started = time.perf_counter()
    folder_run.infer([blank + 1])  # other pixels: a model may remember what it saw last
    per_window = (time.perf_counter() - started) / segmenter.geometry.count(height, width)
    return {
        "files": len(source),
        "unreadable": len(source) - len(sizes),
        "windows": windows,
        "largest_picture": f"{width}x{height}",
        "peak_memory_mb": round(peak_memory(segmenter.device) / 2**20),
        "available_memory_mb": round(available_memory(segmenter.device) / 2**20),
        "estimated_seconds": round(per_window * windows, 1),
        "model": segmenter.name,
        "device": str(segmenter.device),
    }
