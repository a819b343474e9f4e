"""The set of plain colours, rendered once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.video.evaluate.colour_set import write_colour_set


@pytest.fixture(scope="session")
def rendered(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_colour_set(tmp_path_factory.mktemp("colours"))


@pytest.fixture
def colours(rendered: Path, tmp_path: Path) -> Path:
    """A copy of one's own, free to be spoiled."""
    return Path(shutil.copytree(rendered, tmp_path / "colours"))
