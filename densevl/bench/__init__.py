"""Benchmarks: each job in our form and in a plain one, on the same inputs, in alternation."""

from __future__ import annotations

from densevl.bench.scenario import Scenario, all_scenarios, find_scenario
from densevl.bench.suite import as_table, run_suite

__all__ = ["Scenario", "all_scenarios", "as_table", "find_scenario", "run_suite"]
