"""A room imports only lower rooms, or its own folder; rooms on one floor do not import each other."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
FLOORS = [
    {"core"},
    {"vocab", "ops", "losses", "metrics"},
    {"weights", "data", "visualize", "engine"},
    {"backbones", "heads"},
    {"text", "extractors", "refiners"},
    {"tasks"},
    {"interop", "bench"},
    {"cli"},
]
FLOOR_OF = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms}
# Segmentation.save() and .plot() draw the picture they came from, and import what they need inside the method.
EXCEPTIONS = {("densevl/core/structures.py", "visualize"), ("densevl/core/structures.py", "data")}
FILES = sorted((ROOT / "densevl").rglob("*.py"))


def imported_modules(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import; write the whole path"
            found.update(f"{node.module}.{alias.name}" for alias in node.names)
            found.add(str(node.module))
    return found


def room_of(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "densevl" and len(parts) > 1 and parts[1] in FLOOR_OF else None


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_point_downwards(path: Path) -> None:
    inside = path.relative_to(ROOT / "densevl").parts
    if len(inside) == 1:  # the face of the package stands above all rooms
        return
    room = inside[0]
    assert room in FLOOR_OF, f"{room} is no room of the plan"
    for module in imported_modules(path):
        other = room_of(module)
        if other is None or other == room or (str(path.relative_to(ROOT)), other) in EXCEPTIONS:
            continue
        assert FLOOR_OF[other] < FLOOR_OF[room], f"{path.relative_to(ROOT)} ({room}) imports {module}"


def test_densevl_never_says_video() -> None:
    for path in FILES:
        names = {module.split(".")[0] for module in imported_modules(path)}
        assert "video" not in names, path
