"""Lengths, thin tools, no paths of one machine, mirrors: the rules of the house, read from its files."""

from __future__ import annotations

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = [name for name in ("densevl", "video") if (ROOT / name).is_dir()]
FILES = sorted(path for name in PACKAGES for path in (ROOT / name).rglob("*.py"))
TOOLS = sorted((ROOT / "tools").glob("*.py"))
LINES_MOST, FUNCTION_MOST, ARGUMENTS_MOST, TOOL_MOST, BYTES_MOST = 500, 45, 7, 15, 1_000_000


def tracked_files() -> list[Path]:
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True)
    if listed.returncode:
        pytest.skip("not a git checkout")
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).is_file()]


def code_lines(function: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    documentation = ast.get_docstring(function) or ""
    return (function.end_lineno or 0) - function.lineno + 1 - (documentation.count("\n") + 1 if documentation else 0)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_files_and_functions_stay_short(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LINES_MOST
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            assert code_lines(node) <= FUNCTION_MOST, node.name
            arguments = [a.arg for a in (*node.args.args, *node.args.kwonlyargs) if a.arg not in ("self", "cls")]
            assert len(arguments) <= ARGUMENTS_MOST, node.name


@pytest.mark.parametrize("path", TOOLS, ids=lambda path: path.name)
def test_tools_are_thin(path: Path) -> None:
    assert len(path.read_text(encoding="utf-8").splitlines()) <= TOOL_MOST


def test_no_file_holds_a_path_of_one_machine() -> None:
    pattern = re.compile(r"""["'`](/home/|/root/|/work/|/data/|/mnt/|[A-Z]:\\\\)""")
    for path in tracked_files():
        if path.suffix in {".py", ".md", ".toml", ".txt", ".sh", ".html"} and path != Path(__file__).resolve():
            found = pattern.search(path.read_text(encoding="utf-8"))
            assert found is None, f"{path.relative_to(ROOT)}: {found and found.group()}"


def test_no_tracked_file_is_large() -> None:
    for path in tracked_files():
        assert path.stat().st_size <= BYTES_MOST, path.relative_to(ROOT)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_source_file_has_its_mirror(path: Path) -> None:
    if path.name.startswith("__") or len(path.read_text(encoding="utf-8").splitlines()) < 25:
        return
    mirror = ROOT / "tests" / path.relative_to(ROOT).parent / f"test_{path.name}"
    assert mirror.is_file(), f"write {mirror.relative_to(ROOT)}"
