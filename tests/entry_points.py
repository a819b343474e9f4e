"""The entry points of setup.py as an installed package shows them, in a checkout too."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SETUP = Path(__file__).resolve().parents[1] / "setup.py"


def install_entry_points(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Write the metadata that pip would write and put it before all other packages."""
    calls = (node for node in ast.walk(ast.parse(SETUP.read_text(encoding="utf-8"))) if isinstance(node, ast.keyword))
    groups = next(ast.literal_eval(node.value) for node in calls if node.arg == "entry_points")
    metadata = folder / "densevl-0.dist-info"
    metadata.mkdir(parents=True)
    (metadata / "METADATA").write_text("Metadata-Version: 2.1\nName: densevl\nVersion: 0\n")
    lines = [line for name, entries in groups.items() for line in (f"[{name}]", *entries)]
    (metadata / "entry_points.txt").write_text("\n".join(lines) + "\n")
    monkeypatch.syspath_prepend(folder)
