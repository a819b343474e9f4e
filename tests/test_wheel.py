"""The built wheel, alone in a fresh environment, labels a picture: nothing is missing from it."""

from __future__ import annotations

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]


def run(*command: str | Path, folder: Path) -> str:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run([*map(str, command)], cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.slow
def test_the_wheel_labels_a_picture_in_a_fresh_environment(tmp_path: Path) -> None:
    run(
        sys.executable, "-m", "pip", "wheel", ROOT, "--no-deps", "--no-build-isolation", "-w", tmp_path, folder=tmp_path
    )
    (wheel,) = tmp_path.glob("densevl-*.whl")
    environment = tmp_path / "environment"
    venv.create(environment, with_pip=True)
    python = environment / "bin" / "python"
    run(python, "-m", "pip", "install", "--no-deps", "--no-index", wheel, folder=tmp_path)
    # The packages that densevl needs come from here; densevl itself can only come from the wheel.
    site = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))", folder=tmp_path).strip())
    (site / "needed.pth").write_text(sysconfig.get_path("purelib") + "\n")
    home = run(python, "-c", "import densevl; print(densevl.__file__)", folder=tmp_path)
    assert Path(home.strip()).is_relative_to(site)

    Image.fromarray(np.zeros((60, 80, 3), np.uint8)).save(tmp_path / "picture.png")
    densevl = environment / "bin" / "densevl"
    flags = ("--classes", "camvid", "--model", "lite", "--offline", "--out", tmp_path / "out")
    run(densevl, "segment", tmp_path / "picture.png", *flags, folder=tmp_path)
    assert np.array(Image.open(tmp_path / "out/labels/picture.png")).shape == (60, 80)
    assert "maskclip-b16" in run(densevl, "models", "list", folder=tmp_path)
