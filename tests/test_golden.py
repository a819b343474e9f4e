"""Every golden file that we have a check for, one test a file."""

from __future__ import annotations

import importlib
import pkgutil

import pytest
import torch

import tests.golden_checks as golden_checks
from tests.golden_reader import FOLDER, GoldenFile

for _module in pkgutil.iter_modules(golden_checks.__path__):
    importlib.import_module(f"tests.golden_checks.{_module.name}")


@pytest.mark.golden
@pytest.mark.parametrize("stem", sorted(golden_checks.CHECKS))
def test_golden(stem: str) -> None:
    assert (FOLDER / f"{stem}.npz").is_file(), f"golden file {stem}.npz is missing in {FOLDER}"
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        file = GoldenFile(stem)
        golden_checks.CHECKS[stem](file)
        file.finish()
    finally:
        torch.set_num_threads(threads)
