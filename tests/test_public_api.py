"""The public names, room by room: a change of tests/api.json is a decision, not an accident.

After a deliberate change: python -m tests.test_public_api writes the file anew.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


def public_names() -> dict[str, list[str]]:
    names = {"densevl": sorted(importlib.import_module("densevl").__all__)}
    for folder in sorted((ROOT / "densevl").iterdir()):
        if (folder / "__init__.py").is_file():
            module = importlib.import_module(f"densevl.{folder.name}")
            names[module.__name__] = sorted(getattr(module, "__all__", []))
    return names


def test_public_names_are_those_of_the_api_file() -> None:
    assert public_names() == json.loads((HERE / "api.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", sorted(json.loads((HERE / "api.json").read_text(encoding="utf-8"))))
def test_every_public_name_exists(name: str) -> None:
    module = importlib.import_module(name)
    for attribute in getattr(module, "__all__", []):
        assert getattr(module, attribute) is not None


@pytest.mark.parametrize("statement", ["import densevl", "import densevl.cli.app; densevl.cli.app.collect_verbs()"])
def test_the_face_and_the_verbs_load_neither_torch_nor_mmengine(statement: str) -> None:
    heavy = ["torch", "mmengine", "open_clip", "timm", "transformers", "numba", "cv2"]
    code = f"import sys; {statement}; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


if __name__ == "__main__":
    (HERE / "api.json").write_text(json.dumps(public_names(), indent=1) + "\n", encoding="utf-8")
