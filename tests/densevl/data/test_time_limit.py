"""A process whose time is over is killed; one that is stopped in time lives."""

from __future__ import annotations

import subprocess
import sys

from densevl.data.time_limit import TimeLimit


def waiting() -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)


def test_a_process_is_killed_when_its_time_is_over() -> None:
    with waiting() as process:
        limit = TimeLimit(process, 0.05)
        assert process.wait(timeout=30) != 0 and limit.over


def test_a_time_limit_that_was_stopped_kills_nothing() -> None:
    class Process:
        killed = 0

        def kill(self) -> None:
            self.killed += 1

    process = Process()
    limit = TimeLimit(process, 1000)
    limit.stop()
    limit._end()  # the timer had already begun to call
    assert (process.killed, limit.over) == (0, False)
    other = TimeLimit(process, 1000)
    other._end()
    other.stop()
    assert (process.killed, other.over) == (1, True)
