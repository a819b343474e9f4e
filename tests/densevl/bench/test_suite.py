from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from densevl.bench import Scenario, as_table, run_suite, suite

COLUMNS = {
    "scenario",
    "ratio",
    "ratio_min",
    "ratio_max",
    "equal",
    "max_abs_diff",
    "cpu_s",
    "reference_cpu_s",
    "peak_mb",
}
TOOL = Path(__file__).parents[3] / "tools" / "benchmark.py"


def test_the_report_has_a_whole_row_a_scenario(monkeypatch: pytest.MonkeyPatch) -> None:
    threads: list[int] = []

    def form(numbers: list[int]) -> int:
        threads.append(torch.get_num_threads())
        return sum(numbers)

    toy = Scenario("toy", lambda: list(range(1000)), form, form, lambda _, ours, plain: (ours == plain, 0.0))
    monkeypatch.setattr(suite, "all_scenarios", lambda: [toy])
    monkeypatch.setattr(suite, "measure_peaks", lambda names: [12.5 for _ in names])
    before = torch.get_num_threads()
    report = json.loads(json.dumps(run_suite(quick=True)))
    assert set(report) == {"env", "rows"}
    assert [set(row) for row in report["rows"]] == [COLUMNS]
    assert report["env"]["threads"] == 1
    assert set(threads) == {1}
    assert torch.get_num_threads() == before
    assert "toy" in as_table(report)


@pytest.mark.slow
def test_the_quick_tool_writes_equal_rows_above_their_floors(tmp_path: Path) -> None:
    target = tmp_path / "bench.json"
    subprocess.run([sys.executable, TOOL, "--quick", "--json", target], check=True)
    rows = {row["scenario"]: row for row in json.loads(target.read_text())["rows"]}
    assert all(row["equal"] for row in rows.values())
    # half of what a quiet machine shows: a loaded one must not fail here
    for name, floor in {"classmap-150": 75, "classmap-1203": 300, "classmap-12mp": 30, "metric": 30}.items():
        assert rows[name]["ratio"] > floor, name
