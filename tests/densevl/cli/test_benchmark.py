"""`densevl benchmark` and the tool of the same name."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from densevl import bench
from densevl.cli.app import main

ROOT = Path(__file__).resolve().parents[3]
KEYS = {"scenario", "ratio", "ratio_min", "ratio_max", "equal", "max_abs_diff", "cpu_s", "reference_cpu_s", "peak_mb"}


def test_the_report_is_written_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = dict.fromkeys(KEYS, 1.0) | {"scenario": "x", "equal": True}
    monkeypatch.setattr(bench, "run_suite", lambda quick: {"env": {"quick": quick}, "rows": [row]})
    assert main(["benchmark", "--quick", "--json", str(tmp_path / "bench.json")]) == 0
    assert json.loads((tmp_path / "bench.json").read_text()) == {"env": {"quick": True}, "rows": [row]}
    assert "x" in capsys.readouterr().out


@pytest.mark.slow
def test_the_tool_measures_every_scenario_and_finds_both_forms_equal(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "tools/benchmark.py", "--quick", "--json", tmp_path / "bench.json"]
    subprocess.run(list(map(str, command)), check=True, capture_output=True, cwd=ROOT)
    report = json.loads((tmp_path / "bench.json").read_text())
    scenarios = {row["scenario"]: row for row in report["rows"]}
    assert {"classmap-150", "classmap-1203", "classmap-12mp", "metric", "cold-start"} <= scenarios.keys()
    for row in report["rows"]:
        assert row.keys() == KEYS
        assert row["equal"] and row["ratio_min"] <= row["ratio"] <= row["ratio_max"]
    assert scenarios["classmap-150"]["ratio"] > 30 and scenarios["classmap-1203"]["ratio"] > 100
