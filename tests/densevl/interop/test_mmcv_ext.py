"""The stand-in refuses every op, fakes none, and makes way for the real ones."""

from __future__ import annotations

import importlib.util
import inspect
import pickle
import subprocess
import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

import pytest

from densevl.core.errors import UsageError
from densevl.interop import MissingOpError
from densevl.interop.mmcv_ext import ensure

NAME = "mmcv._ext"


@pytest.fixture
def no_extension(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is installed: no extension is, and none is loaded; undone afterwards."""
    monkeypatch.setitem(sys.modules, NAME, ModuleType(NAME))
    del sys.modules[NAME]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)


@pytest.fixture
def stand_in(no_extension: None) -> ModuleType:
    assert ensure()
    return sys.modules[NAME]


def test_an_op_is_there_until_it_is_called(stand_in: ModuleType) -> None:
    op = stand_in.nms
    with pytest.raises(MissingOpError, match=r"compiled op 'nms'.*tools/build_mmcv\.py"):
        op([1, 2], threshold=0.5)


def test_the_refusal_is_an_error_of_ours_and_passes_between_processes(stand_in: ModuleType) -> None:
    with pytest.raises(UsageError) as caught:
        stand_in.roi_align_forward()
    assert str(pickle.loads(pickle.dumps(caught.value))) == str(caught.value)


def test_what_python_asks_of_a_module_is_no_op(stand_in: ModuleType) -> None:
    assert not hasattr(stand_in, "__path__") and not hasattr(stand_in, "__wrapped__")
    assert inspect.ismodule(stand_in) and NAME in repr(stand_in)


def test_a_stand_in_is_made_once(stand_in: ModuleType) -> None:
    assert ensure() and sys.modules[NAME] is stand_in


def test_it_makes_way_for_an_installed_extension(no_extension: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: ModuleSpec(name, loader=None))
    assert not ensure() and NAME not in sys.modules


def test_it_makes_way_for_a_loaded_extension(no_extension: None) -> None:
    compiled = sys.modules[NAME] = ModuleType(NAME)
    assert not ensure() and sys.modules[NAME] is compiled


@pytest.mark.slow
def test_all_of_mmseg_imports_and_what_needs_no_op_runs() -> None:
    code = """
import importlib, torch
from densevl.interop.mmcv_ext import MissingOpError, ensure
absent = ensure()
for name in ("apis", "datasets", "datasets.transforms", "engine", "evaluation", "models", "utils", "visualization"):
    importlib.import_module(f"mmseg.{name}")
from mmcv.ops import nms, point_sample
from mmcv.utils.ext_loader import check_ops_exist
assert point_sample(torch.arange(4.0).view(1, 1, 2, 2), torch.full((1, 1, 2), 0.5)).item() == 1.5
assert check_ops_exist() != absent
try:
    kept = nms(torch.tensor([[0.0, 0, 9, 9], [0, 0, 9, 8]]), torch.tensor([0.9, 0.8]), 0.5)[1]
except MissingOpError:
    assert absent
else:
    assert not absent and kept.tolist() == [0]
print("absent" if absent else "compiled")
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() in ("absent", "compiled")
