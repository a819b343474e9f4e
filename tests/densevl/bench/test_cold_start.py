from __future__ import annotations

from densevl.bench.cold_start import exit_code, scenarios


def test_a_fresh_process_reports_its_exit_code() -> None:
    assert exit_code("raise SystemExit(3)") == 3


def test_help_ends_well_and_a_failing_process_is_not_equal() -> None:
    (scenario,) = scenarios()
    assert scenario.ours(scenario.prepare()) == 0
    assert scenario.compare(None, 0, 0)[0]
    assert not scenario.compare(None, 1, 1)[0]
