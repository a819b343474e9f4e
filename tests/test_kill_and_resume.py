"""A killed run goes on where it stopped."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.kill_and_resume import kill_and_resume


@pytest.mark.slow
def test_a_run_killed_three_times_equals_an_unbroken_one_byte_for_byte(tmp_path: Path) -> None:
    assert kill_and_resume(tmp_path, kills=3) >= 1
