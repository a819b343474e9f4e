"""Build mmcv 2.1.0 with its compiled ops for the torch that is installed: its own build does not.

What is changed in its sources: C++20, which torch's headers ask for; no debug symbols; 77 source files joined to a few,
since most of the time goes into torch's headers; and the wheel is mmcv-lite 2.1.0+ops, so that pip puts it in the place
of mmcv-lite in one step (both own the folder `mmcv`), and all that asks for mmcv-lite still finds it.
"""

from __future__ import annotations

import argparse
import importlib.metadata
import logging
import os
import platform
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from collections.abc import Sequence
from pathlib import Path

from packaging.specifiers import SpecifierSet

from densevl.core.errors import EXIT_DONE, DataError, DensevlError, UsageError

logger = logging.getLogger(__name__)

_VERSION = "2.1.0"
_SETUPTOOLS = SpecifierSet(">=77.0.3,<82")  # torch asks for the one, pkg_resources in mmcv's setup.py for the other
_ALONE = ("psamask", "roi_align", "roi_align_rotated", "rotated_feature_align")  # their helpers and macros collide
_SOURCES = Path("mmcv/ops/csrc")
_EDITS = (  # text of setup.py, what replaces it
    ("-std=c++17", "-std=c++20"),
    ("extra_compile_args['cxx'] = ['-std=c++20']", "extra_compile_args['cxx'] = ['-std=c++20', '-g0']"),
    ("glob.glob('./mmcv/ops/csrc/pytorch/*.cpp')", "glob.glob('./mmcv/ops/csrc/joined/*.cpp')"),
    ("glob.glob('./mmcv/ops/csrc/pytorch/cpu/*.cpp')", "[]"),
    ("name='mmcv' if os.getenv('MMCV_WITH_OPS', '1') == '1' else 'mmcv-lite'", "name='mmcv-lite'"),
    ("version=get_version()", "version=get_version() + '+ops'"),
)
_CHECK = (
    "import torch, mmcv.ops; boxes = torch.tensor([[0., 0, 9, 9], [0, 0, 9, 8]]); "
    "kept = mmcv.ops.nms(boxes, torch.tensor([.9, .8]), .5)[1].tolist(); "
    "raise SystemExit(0 if kept == [0] else f'nms kept {kept}, not [0]')"
)


def check_tools() -> None:
    """See that a build can work here.

    Raises:
        UsageError: Windows, or no compiler, ninja or torch, a setuptools that does not do, or another mmcv; says what
            to install or take away.
    """
    if platform.system() == "Windows":
        raise UsageError("mmcv's ops are built on Linux or macOS, this is Windows: use WSL, or go on with mmcv-lite")
    compiler = os.environ.get("CXX") or ("clang++" if platform.system() == "Darwin" else "g++")
    if shutil.which(compiler.split()[0]) is None:
        raise UsageError(f"no C++ compiler '{compiler}': install one (apt install g++), or name yours in CXX")
    if shutil.which("ninja") is None:
        raise UsageError("no ninja: pip install ninja")
    versions = {name: _installed(name) for name in ("torch", "setuptools", "mmcv")}
    if versions["mmcv"] is not None:
        raise UsageError(f"mmcv {versions['mmcv']} is installed, which has its own ops: pip uninstall mmcv first")
    if versions["torch"] is None:
        raise UsageError("no torch: install densevl first, mmcv's ops are built for the torch that is there")
    if versions["setuptools"] is None or versions["setuptools"] not in _SETUPTOOLS:
        raise UsageError(
            f"setuptools {versions['setuptools']}: mmcv needs another, pip install 'setuptools{_SETUPTOOLS}'"
        )


def fetch_sources(folder: Path) -> Path:
    """Download mmcv's sources into a folder and unpack them there.

    Returns:
        The folder with setup.py.

    Raises:
        DataError: pip could not fetch them.
    """
    flags = ("--no-binary", "mmcv", "--no-deps", "--no-build-isolation", "--dest", str(folder))
    _pip("download", *flags, f"mmcv=={_VERSION}")
    with tarfile.open(folder / f"mmcv-{_VERSION}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    return folder / f"mmcv-{_VERSION}"


def adapt_sources(folder: Path) -> list[Path]:
    """Change the sources so that they build; see the top.

    Args:
        folder: with mmcv's setup.py.

    Returns:
        The files that will be compiled.

    Raises:
        DataError: other sources than those of mmcv 2.1.0.
    """
    script = folder / "setup.py"
    text = script.read_text(encoding="utf-8") if script.is_file() else ""
    for old, new in _EDITS:
        if old not in text:
            raise DataError(f"{script}: expected the sources of mmcv {_VERSION}, found no {old.splitlines()[0]!r}")
        text = text.replace(old, new)
    script.write_text(text, encoding="utf-8")
    joined = folder / _SOURCES / "joined"
    joined.mkdir()
    doors = sorted((folder / _SOURCES / "pytorch").glob("*.cpp"))
    cores = sorted((folder / _SOURCES / "pytorch/cpu").glob("*.cpp"))
    alone = [path for path in cores if path.stem in _ALONE]
    groups = {
        "doors_1": doors[: len(doors) // 2],
        "doors_2": doors[len(doors) // 2 :],
        "cpu": [path for path in cores if path not in alone],
        **{f"cpu_{path.stem}": [path] for path in alone},
    }
    for name, parts in groups.items():
        lines = [f'#include "../{path.relative_to(joined.parent).as_posix()}"\n' for path in parts]
        (joined / f"{name}.cpp").write_text("".join(lines), encoding="utf-8")
    return [joined / f"{name}.cpp" for name in groups]


def build_wheel(sources: Path, folder: Path) -> Path:
    """Compile adapted sources to a wheel in a folder.

    Raises:
        DataError: the compiler failed, or the wheel holds no ops.
    """
    jobs = {"MMCV_WITH_OPS": "1", "MAX_JOBS": os.environ.get("MAX_JOBS", str(os.cpu_count() or 1))}
    _pip("wheel", "--no-build-isolation", "--no-deps", "--wheel-dir", str(folder), str(sources), environment=jobs)
    for wheel in folder.glob("mmcv_lite-*.whl"):
        if any(name.startswith("mmcv/_ext") for name in zipfile.ZipFile(wheel).namelist()):
            return wheel
    raise DataError(f"expected a wheel with mmcv/_ext in {folder}, found none: does `import torch` work here?")


def install_wheel(wheel: Path) -> None:
    """Put a wheel with ops in the place of mmcv-lite, and try an op.

    Raises:
        DataError: it could not be installed, or an op does not work; says how to go back.
    """
    back = f"to go back: pip install --force-reinstall --no-deps mmcv-lite=={_VERSION}"
    try:
        _pip("install", "--force-reinstall", "--no-deps", str(wheel))
        _run([sys.executable, "-c", _CHECK])
    except DataError as error:
        raise DataError(f"{error}; {back}") from error
    logger.info("mmcv %s with compiled ops is installed and works; %s", _VERSION, back)


def main(argv: Sequence[str] | None = None) -> int:
    """The command line of tools/build_mmcv.py; returns the exit code."""
    parser = argparse.ArgumentParser(description=f"Build mmcv {_VERSION} with its ops and put it in mmcv-lite's place.")
    parser.add_argument("--wheel-dir", type=Path, metavar="DIR", help="keep the wheel here")
    parser.add_argument("--dry-run", action="store_true", help="fetch and adapt the sources, build and change nothing")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    try:
        _build(args.wheel_dir, dry_run=args.dry_run)
    except DensevlError as error:
        logger.error("build_mmcv: %s", error)
        return error.exit_code
    return EXIT_DONE


def _build(wheel_dir: Path | None, *, dry_run: bool) -> None:
    check_tools()
    start = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mmcv-") as name:
        folder = Path(name)
        sources = fetch_sources(folder)
        files = adapt_sources(sources)
        logger.info("%d files are compiled, which takes some minutes", len(files))
        if dry_run:
            logger.info("dry run: nothing is built, mmcv-lite %s stays", _installed("mmcv-lite"))
            return
        wheel = build_wheel(sources, folder)
        logger.info("built in %.0f s: %s", time.monotonic() - start, wheel.name)
        if wheel_dir is not None:
            wheel_dir.mkdir(parents=True, exist_ok=True)
            wheel = Path(shutil.copy2(wheel, wheel_dir))
        install_wheel(wheel)


def _installed(name: str) -> str | None:
    """Version of a package, or None."""
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return None


def _pip(*arguments: str, environment: dict[str, str] | None = None) -> None:
    _run([sys.executable, "-m", "pip", "--disable-pip-version-check", *arguments], environment)


def _run(command: Sequence[str], environment: dict[str, str] | None = None) -> None:
    """Run a command; what it printed is shown where it fails."""
    done = subprocess.run(
        command, env={**os.environ, **(environment or {})}, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode:
        words = " ".join(command[1:])
        raise DataError(f"{done.stdout[-4000:].rstrip()}\n`python {words}` failed: its last lines stand above")
