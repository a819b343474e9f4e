"""What a dry run finds out without decoding."""

from __future__ import annotations

from pathlib import Path

import pytest

from densevl.core.errors import SourceError
from densevl.data.folders import open_source
from densevl.tasks import load
from densevl.tasks.folder_run import FolderRun, RunOptions
from densevl.tasks.run_plan import measure
from densevl.vocab import parse_classes


def test_a_source_without_a_readable_picture_is_refused(tmp_path: Path) -> None:
    (tmp_path / "b.png").write_bytes(b"no picture")
    segmenter = load("lite", "cpu", **{"model.geometry.short_side": 96})
    run = FolderRun(segmenter, open_source(str(tmp_path)), parse_classes("cat; sky"), options=RunOptions())
    with pytest.raises(SourceError, match=r"b\.png"):
        measure(run)
