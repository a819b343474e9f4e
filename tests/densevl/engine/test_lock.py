"""One run a folder."""

from __future__ import annotations

import os
from contextlib import closing
from pathlib import Path

import pytest

from densevl.core.errors import OutputError
from densevl.engine.lock import take_lock


def test_a_second_run_is_refused_with_the_process_of_the_first_and_let_in_after_it(tmp_path: Path) -> None:
    with closing(take_lock(tmp_path / "log")), pytest.raises(OutputError, match=rf"process {os.getpid()}\).*--out"):
        take_lock(tmp_path / "log")
    take_lock(tmp_path / "log").close()
    take_lock(tmp_path / "other").close()
