from __future__ import annotations

import multiprocessing
import time
from concurrent.futures import ProcessPoolExecutor

import numpy as np
import pytest

from densevl.bench import Scenario, measure
from densevl.bench.measure import measure_pairs, peak_of


def burn(seconds: float) -> float:
    start = time.process_time()
    while time.process_time() - start < seconds:
        pass
    return seconds


def scenario(calls: list[str], equal: bool = True) -> Scenario:
    def form(name: str, seconds: float) -> str:
        calls.append(name)
        burn(seconds)
        return name

    return Scenario(
        name="toy",
        prepare=lambda: None,
        ours=lambda _: form("ours", 0.01),
        reference=lambda _: form("plain", 0.05),
        compare=lambda _, ours, plain: (equal and (ours, plain) == ("ours", "plain"), 0.25),
    )


def test_the_forms_alternate_and_the_ratio_is_that_of_the_pairs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "_SHORTEST_RUN", 0.01)
    calls: list[str] = []
    row = measure_pairs(scenario(calls), seconds=0)
    assert calls[-4:] == ["plain", "ours"] * 2
    assert row["ratio_min"] <= row["ratio"] <= row["ratio_max"]
    assert row["ratio"] == pytest.approx(5, rel=0.3)
    assert row["cpu_s"] == pytest.approx(0.01, rel=0.3)
    assert row["reference_cpu_s"] == pytest.approx(0.05, rel=0.3)
    assert (row["scenario"], row["equal"], row["max_abs_diff"]) == ("toy", True, 0.25)


def test_a_short_run_is_repeated_and_unequal_results_are_told() -> None:
    calls: list[str] = []
    row = measure_pairs(scenario(calls, equal=False), seconds=0)
    assert calls.count("ours") > 20
    assert row["equal"] is False


def peak_of_a_toy() -> float:
    def form(_: None) -> None:
        np.ones(50 << 17)  # 50 MB

    measure.find_scenario = {"toy": Scenario("toy", lambda: None, form, form, lambda *_: (True, 0.0))}.__getitem__
    return peak_of("toy")


def test_the_peak_is_what_a_run_adds() -> None:
    # in a process of its own, as the suite does: an old one may give out heap that it never returned
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        assert 45 < pool.submit(peak_of_a_toy).result() < 60
