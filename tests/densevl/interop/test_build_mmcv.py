"""The build of mmcv up to the compiler: what is missing is said, the sources are changed, mmcv-lite goes last."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from densevl.core.errors import DataError, UsageError
from densevl.interop import build_mmcv
from densevl.interop.build_mmcv import adapt_sources, build_wheel, check_tools, fetch_sources, install_wheel, main

SETUP = """
extra_compile_args['cxx'] = ['-std=c++17']
extra_compile_args['nvcc'] += ['-std=c++17']
op_files = glob.glob('./mmcv/ops/csrc/pytorch/*.cpp') + \\
    glob.glob('./mmcv/ops/csrc/pytorch/cpu/*.cpp')
setup(name='mmcv' if os.getenv('MMCV_WITH_OPS', '1') == '1' else 'mmcv-lite', version=get_version())
"""
DOORS = ("info", "nms", "psamask", "pybind")
CORES = ("nms", "psamask", "roi_align", "voxelization")


def write_sources(folder: Path) -> Path:
    places = {"pytorch": DOORS, "pytorch/cpu": CORES}
    for place, names in places.items():
        (folder / "mmcv/ops/csrc" / place).mkdir(parents=True)
        for name in names:
            (folder / "mmcv/ops/csrc" / place / f"{name}.cpp").touch()
    (folder / "setup.py").write_text(SETUP)
    return folder


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """Commands that would have run; those with a word of `fail` in them fail."""
    told: list[list[str]] = []

    def run(command: list[str], **kwargs: object) -> subprocess.CompletedProcess[str]:
        told.append(command[3:] if command[1:3] == ["-m", "pip"] else command[1:])
        failed = any(word in command for word in calls_that_fail)
        return subprocess.CompletedProcess(command, int(failed), stdout="the last line\n")

    calls_that_fail.clear()
    monkeypatch.setattr(build_mmcv.subprocess, "run", run)
    return told


calls_that_fail: set[str] = set()


def test_joined_files_hold_every_source_once_and_some_alone(tmp_path: Path) -> None:
    files = adapt_sources(write_sources(tmp_path))
    held = {path.stem: [(path.parent / line.split('"')[1]).resolve() for line in path.open()] for path in files}
    sources = sorted(path for path in (tmp_path / "mmcv/ops/csrc").glob("pytorch/**/*.cpp"))
    assert sorted(path for paths in held.values() for path in paths) == [path.resolve() for path in sources]
    alone = {paths[0].stem for stem, paths in held.items() if stem.startswith("cpu_")}
    assert alone == {"psamask", "roi_align"} and len(held["cpu"]) == 2


def test_the_build_script_asks_for_c20_without_symbols_and_compiles_the_joined_files(tmp_path: Path) -> None:
    adapt_sources(write_sources(tmp_path))
    text = (tmp_path / "setup.py").read_text()
    assert "c++17" not in text and "pytorch/" not in text and "csrc/joined/*.cpp" in text
    assert "setup(name='mmcv-lite', version=get_version() + '+ops')" in text
    assert "['cxx'] = ['-std=c++20', '-g0']" in text and "['nvcc'] += ['-std=c++20']" in text


def test_other_sources_are_not_touched(tmp_path: Path) -> None:
    write_sources(tmp_path)
    (tmp_path / "setup.py").write_text(SETUP.replace("pytorch/cpu", "elsewhere"))
    with pytest.raises(DataError, match=r"expected the sources of mmcv 2\.1\.0"):
        adapt_sources(tmp_path)
    assert "c++17" in (tmp_path / "setup.py").read_text() and not (tmp_path / "mmcv/ops/csrc/joined").exists()
    with pytest.raises(DataError, match="expected the sources"):
        adapt_sources(tmp_path / "none")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"system": "Windows"}, "use WSL"),
        ({"programs": {"ninja"}}, "no C\\+\\+ compiler 'g\\+\\+'"),
        ({"programs": {"g++"}}, "pip install ninja"),
        ({"CXX": "clang-99 -m64"}, "no C\\+\\+ compiler 'clang-99 -m64'"),
        ({"torch": None}, "install densevl first"),
        ({"setuptools": "82.0.1"}, "setuptools 82.0.1: .* pip install 'setuptools"),
        ({"setuptools": "65.5.0"}, "setuptools 65.5.0"),
        ({"setuptools": None}, "setuptools None"),
        ({"mmcv": "2.1.0"}, "mmcv 2.1.0 is installed"),
        ({}, ""),
    ],
)
def test_what_is_missing_is_named(monkeypatch: pytest.MonkeyPatch, change: dict, message: str) -> None:
    state = {
        "system": "Linux",
        "programs": {"g++", "ninja"},
        "torch": "2.14.1",
        "setuptools": "81.0.0",
        "mmcv": None,
        **change,
    }
    monkeypatch.delenv("CXX", raising=False)
    if "CXX" in state:
        monkeypatch.setenv("CXX", state["CXX"])
    monkeypatch.setattr(build_mmcv.platform, "system", lambda: state["system"])
    monkeypatch.setattr(shutil, "which", lambda name: name if name in state["programs"] else None)
    monkeypatch.setattr(build_mmcv, "_installed", state.get)
    if not message:
        check_tools()
        return
    with pytest.raises(UsageError, match=message):
        check_tools()


def test_sources_are_fetched_by_pip_and_unpacked(tmp_path: Path, calls: list[list[str]]) -> None:
    write_sources(tmp_path / "made/mmcv-2.1.0")
    shutil.make_archive(str(tmp_path / "mmcv-2.1.0"), "gztar", tmp_path / "made", "mmcv-2.1.0")
    assert (fetch_sources(tmp_path) / "setup.py").read_text() == SETUP
    assert calls[0][1] == "download" and "mmcv==2.1.0" in calls[0] and "--no-build-isolation" in calls[0]


def test_a_wheel_without_ops_is_none(tmp_path: Path, calls: list[list[str]]) -> None:
    with zipfile.ZipFile(tmp_path / "mmcv_lite-2.1.0-py3-none-any.whl", "w") as archive:
        archive.writestr("mmcv/__init__.py", "")
    with pytest.raises(DataError, match="expected a wheel with mmcv/_ext"):
        build_wheel(tmp_path, tmp_path)
    with zipfile.ZipFile(tmp_path / "mmcv_lite-2.1.0-cp311.whl", "w") as archive:
        archive.writestr("mmcv/_ext.cpython-311.so", "")
    assert build_wheel(tmp_path, tmp_path).name == "mmcv_lite-2.1.0-cp311.whl"


def test_a_wheel_is_put_in_the_place_of_mmcv_lite_and_an_op_is_tried(calls: list[list[str]]) -> None:
    install_wheel(Path("mmcv.whl"))
    assert [call[1] if len(call) > 2 else call[0] for call in calls] == ["install", "-c"]
    assert "--force-reinstall" in calls[0] and calls[0][-1] == "mmcv.whl" and "mmcv.ops.nms" in calls[1][1]


def test_what_fails_says_how_to_go_back(calls: list[list[str]]) -> None:
    calls_that_fail.add("-c")
    with pytest.raises(DataError, match=r"(?s)the last line.*failed.*to go back: .*mmcv-lite==2\.1\.0"):
        install_wheel(Path("mmcv.whl"))


def made_by(monkeypatch: pytest.MonkeyPatch, *, wheel: bool) -> list[str]:
    done: list[str] = []

    def build(sources: Path, folder: Path) -> Path:
        done.append("build")
        if not wheel:
            raise DataError("g++: out of memory")
        (folder / "mmcv.whl").touch()
        return folder / "mmcv.whl"

    monkeypatch.setattr(build_mmcv, "check_tools", lambda: None)
    monkeypatch.setattr(build_mmcv, "fetch_sources", lambda folder: write_sources(folder / "mmcv-2.1.0"))
    monkeypatch.setattr(build_mmcv, "build_wheel", build)
    monkeypatch.setattr(build_mmcv, "install_wheel", lambda path: done.append(str(path)))
    return done


def test_nothing_is_taken_away_where_nothing_was_built(monkeypatch: pytest.MonkeyPatch) -> None:
    done = made_by(monkeypatch, wheel=False)
    assert main([]) == DataError.exit_code and done == ["build"]


def test_a_dry_run_ends_before_the_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    done = made_by(monkeypatch, wheel=True)
    assert main(["--dry-run"]) == 0 and done == []


def test_the_wheel_can_be_kept(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    done = made_by(monkeypatch, wheel=True)
    assert main(["--wheel-dir", str(tmp_path / "kept")]) == 0
    assert done == ["build", str(tmp_path / "kept/mmcv.whl")] and (tmp_path / "kept/mmcv.whl").is_file()


@pytest.mark.slow
def test_the_tool_is_this_module() -> None:
    root = Path(__file__).resolve().parents[3]
    argv = [sys.executable, str(root / "tools/build_mmcv.py"), "--help"]
    done = subprocess.run(argv, capture_output=True, text=True, cwd=root, env={**os.environ, "PYTHONPATH": str(root)})
    assert done.returncode == 0 and "--dry-run" in done.stdout
