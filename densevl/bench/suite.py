"""All scenarios in one go, as a report."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping
from typing import Any

from densevl.bench.measure import measure_pairs, measure_peaks
from densevl.bench.scenario import all_scenarios

_QUICK_SECONDS, _FULL_SECONDS = 1.0, 30.0  # a scenario; two pairs are always run


def run_suite(*, quick: bool = False) -> dict[str, Any]:
    """Measure every scenario with one thread.

    Args:
        quick: as few pairs as a spread needs.

    Returns:
        {"env": {...}, "rows": [{"scenario", "ratio", "ratio_min", "ratio_max", "equal", "max_abs_diff", "cpu_s",
        "reference_cpu_s", "peak_mb"}, ...]}; a ratio is reference / ours, CPU seconds.
    """
    import torch

    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        scenarios = [scenario for scenario in all_scenarios() if scenario.quick or not quick]
        rows = [measure_pairs(scenario, seconds=_QUICK_SECONDS if quick else _FULL_SECONDS) for scenario in scenarios]
    finally:
        torch.set_num_threads(threads)
    peaks = measure_peaks([scenario.name for scenario in scenarios])
    return {
        "env": describe_machine() | {"threads": 1, "quick": quick},
        "rows": [row | {"peak_mb": peak} for row, peak in zip(rows, peaks, strict=True)],
    }


def describe_machine() -> dict[str, Any]:
    """What the figures hang on: machine, Python and the packages that do the work."""
    packages = {name: importlib.metadata.version(name) for name in ("torch", "numba", "numpy")}
    return {
        "machine": platform.machine(),
        "system": platform.system(),
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        **packages,
    }


def as_table(report: Mapping[str, Any]) -> str:
    """The rows as a person reads them."""
    lines = [f"{'scenario':<16}{'ratio':>8}  {'least - most':<16}{'ours s':>10}{'plain s':>10}{'MB':>8}  equal"]
    for row in report["rows"]:
        spread = f"{row['ratio_min']:.1f} - {row['ratio_max']:.1f}"
        times = f"{row['cpu_s']:>10.4f}{row['reference_cpu_s']:>10.4f}{row['peak_mb']:>8.0f}"
        lines.append(f"{row['scenario']:<16}{row['ratio']:>8.1f}  {spread:<16}{times}  {row['equal']}")
    return "\n".join(lines)
