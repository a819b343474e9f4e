"""The face of the package."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import video

ROOT = Path(__file__).resolve().parents[2]


def test_importing_video_and_sampling_frames_loads_no_torch() -> None:
    code = "import sys, video; video.sample_frames(9, num_frames=3); print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "False"


@pytest.mark.parametrize("name", dir(video))
def test_every_name_of_the_face_exists(name: str) -> None:
    assert getattr(video, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'frames'"):
        _ = video.frames
