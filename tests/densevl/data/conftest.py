from __future__ import annotations

from pathlib import Path

import pytest

from tests.clips import sample_clips


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The clips of tests/clips.py by name."""
    return sample_clips(tmp_path_factory.mktemp("clips"))
