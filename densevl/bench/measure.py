"""Time in pairs, memory in fresh processes."""

from __future__ import annotations

import contextlib
import multiprocessing
import resource
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

from densevl.bench.scenario import Scenario, find_scenario

_LEAST_PAIRS, _MOST_PAIRS = 2, 7
_SHORTEST_RUN = 0.2  # seconds: a shorter one is repeated, and its mean taken
_PEAK_PROCESSES = 2
_STATUS = Path("/proc/self/status")
_RSS_UNITS = 1024**2 if sys.platform == "darwin" else 1024  # per MB: bytes there, kB elsewhere

Row = dict[str, Any]


def cpu_seconds() -> float:
    """CPU seconds of this process, all threads, and of its finished children."""
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def measure_pairs(scenario: Scenario, *, seconds: float) -> Row:
    """Reference and ours in alternation, after one run of ours that compiles what is compiled.

    Args:
        scenario: what to run.
        seconds: no further pair is started after that; two are always run.

    Returns:
        The row without its memory: ratio per pair (median, least, most), equality, and median CPU seconds.
    """
    inputs = scenario.prepare()
    scenario.ours(inputs)
    result, first = _timed(scenario.ours, inputs)
    repeats = max(1, int(_SHORTEST_RUN / max(first, 1e-9)))
    equal, difference = True, 0.0
    ours, reference = [], []
    start = time.monotonic()
    while len(ours) < _LEAST_PAIRS or (len(ours) < _MOST_PAIRS and time.monotonic() - start < seconds):
        plain, duration = _timed(scenario.reference, inputs)
        reference.append(duration)
        result, duration = _timed(scenario.ours, inputs, repeats)
        ours.append(duration)
        same, gap = scenario.compare(inputs, result, plain)
        equal, difference = equal and same, max(difference, gap)
    ratios = [plain / fast for plain, fast in zip(reference, ours, strict=True)]
    return {
        "scenario": scenario.name,
        "ratio": statistics.median(ratios),
        "ratio_min": min(ratios),
        "ratio_max": max(ratios),
        "equal": equal,
        "max_abs_diff": difference,
        "cpu_s": statistics.median(ours),
        "reference_cpu_s": statistics.median(reference),
    }


def measure_peaks(names: Sequence[str]) -> list[float]:
    """Peak memory of ours, a fresh process a scenario: see `peak_of`."""
    fresh = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(_PEAK_PROCESSES, mp_context=fresh, max_tasks_per_child=1) as pool:
        return list(pool.map(peak_of, names))


def peak_of(name: str) -> float:
    """MB that the first run of ours adds to a process that holds its inputs; with a child process, MB of the child.

    The first run also loads compiled code, so this is an upper bound of what a run needs.
    """
    scenario = find_scenario(name)
    inputs = scenario.prepare()
    with contextlib.suppress(OSError):  # Linux: forget the peak of the preparation
        Path("/proc/self/clear_refs").write_text("5")
    before, children = _peak_mb(), _children_mb()
    scenario.ours(inputs)
    grown = _children_mb()
    return grown if grown > children else _peak_mb() - before


def _children_mb() -> float:
    """Largest resident memory of the finished children so far."""
    return resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / _RSS_UNITS


def _peak_mb() -> float:
    """Largest resident memory of this process so far; the figure of the kernel's accounts also holds its parent's."""
    if _STATUS.exists():
        fields = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines() if ":" in line)
        return int(fields["VmHWM"].split()[0]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / _RSS_UNITS


def _timed(form: Callable[[Any], Any], inputs: Any, repeats: int = 1) -> tuple[Any, float]:
    start = cpu_seconds()
    for _ in range(repeats):
        result = form(inputs)
    return result, (cpu_seconds() - start) / repeats
