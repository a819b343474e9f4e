from __future__ import annotations

import subprocess
import sys
from importlib.metadata import EntryPoint

import pytest

from densevl.bench import Scenario, all_scenarios, find_scenario, scenario
from densevl.core.errors import UnknownNameError


def extra_scenarios() -> list[Scenario]:
    return [Scenario("extra", lambda: 1, lambda x: x, lambda x: x, lambda x, ours, plain: (ours == plain, 0.0))]


def test_the_scenarios_of_the_first_step_are_there() -> None:
    names = [one.name for one in all_scenarios()]
    assert {"classmap-150", "classmap-1203", "classmap-12mp", "metric", "cold-start"} <= set(names)
    assert len(names) == len(set(names))


def test_another_package_adds_its_own_by_an_entry_point(monkeypatch: pytest.MonkeyPatch) -> None:
    entry = EntryPoint("extra", f"{__name__}:extra_scenarios", scenario.GROUP)
    monkeypatch.setattr(scenario, "entry_points", lambda group: [entry] if group == scenario.GROUP else [])
    assert find_scenario("extra").prepare() == 1


def test_an_unknown_name_says_the_nearest() -> None:
    with pytest.raises(UnknownNameError, match="classmap-150"):
        find_scenario("classmap-15")


def test_listing_the_scenarios_loads_no_torch() -> None:
    program = "import sys, densevl.bench as bench; bench.all_scenarios(); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
