from __future__ import annotations

import subprocess
import sys
from typing import Any

import numba
import pytest

from densevl.core.compiled import compiled


def add(first: float, second: float) -> float:
    return first + second


def test_a_compiled_function_gives_the_result_of_the_plain_one() -> None:
    assert compiled(add)(1.5, 2.0) == add(1.5, 2.0)


def test_without_a_place_for_the_machine_code_the_function_is_compiled_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    real = numba.njit

    def nowhere_to_write(**options: Any) -> Any:
        if options.get("cache"):
            raise RuntimeError("cannot cache function: no locator available")
        return real(**options)

    monkeypatch.setattr(numba, "njit", nowhere_to_write)
    assert compiled(add)(1, 2) == 3


def test_importing_the_rooms_that_compile_loads_no_numba() -> None:
    program = "import sys, densevl.ops, densevl.metrics; sys.exit('numba' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
