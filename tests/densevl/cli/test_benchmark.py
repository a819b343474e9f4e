"""`densevl benchmark` and the tool of the same name."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from densevl import bench
from densevl.cli.app import main

KEYS = {"scenario", "ratio", "ratio_min", "ratio_max", "equal", "max_abs_diff", "cpu_s", "reference_cpu_s", "peak_mb"}


def test_the_report_is_written_and_shown(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    row = dict.fromkeys(KEYS, 1.0) | {"scenario": "x", "equal": True}
    monkeypatch.setattr(bench, "run_suite", lambda quick: {"env": {"quick": quick}, "rows": [row]})
    assert main(["benchmark", "--quick", "--json", str(tmp_path / "bench.json")]) == 0
    assert json.loads((tmp_path / "bench.json").read_text()) == {"env": {"quick": True}, "rows": [row]}
    assert "x" in capsys.readouterr().out
