"""A killed run goes on where it stopped."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kill_and_resume import (
    finish,
    kill_and_resume,
    make_pictures,
    outputs,
    start,
    start_masks,
    wait_for_progress,
)


@pytest.mark.slow
def test_a_run_killed_three_times_equals_an_unbroken_one_byte_for_byte(tmp_path: Path) -> None:
    assert kill_and_resume(tmp_path, kills=3) >= 1


@pytest.mark.slow
def test_masks_of_a_killed_run_equal_those_of_an_unbroken_one_byte_for_byte(tmp_path: Path) -> None:
    assert kill_and_resume(tmp_path, kills=3, start=start_masks) >= 1
    assert len(list((tmp_path / "broken/masks").glob("*.json"))) == len(list((tmp_path / "pictures").iterdir()))


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Processes started here heed Ctrl-C, also where a shell started pytest in the background, which ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
@pytest.mark.usefixtures("interruptible")
def test_ctrl_c_ends_with_130_says_how_to_go_on_and_loses_nothing(tmp_path: Path) -> None:
    make_pictures(tmp_path / "pictures")
    process = start(tmp_path / "pictures", tmp_path / "out")
    wait_for_progress(process, tmp_path / "out/journal.jsonl", 0)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130, error.decode()
    assert b"the same command goes on" in error and b"Traceback" not in error
    kept = outputs(tmp_path / "out")
    finish(start(tmp_path / "pictures", tmp_path / "out"))
    assert kept and kept.items() <= outputs(tmp_path / "out").items()
