"""A process that may not have the memory goes on in tiles and says so: the real allocator, not a stand-in."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = """
import logging, resource, sys
import numpy as np
import densevl

logging.basicConfig(level=logging.WARNING, stream=sys.stderr, format="%(message)s")
segmenter = densevl.load("lite", "cpu", **{"model.geometry.short_side": 1536})
picture = np.random.default_rng(0).integers(0, 256, (300, 400, 3), dtype=np.uint8)
segmenter.predict(picture[:40, :60], ["cat", "sky"])
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 500 * 2**20,) * 2)
print(segmenter.predict(picture, ["cat", "sky"]).label_map.shape)
"""


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="needs /proc to know what is in use")
def test_a_process_short_of_memory_goes_on_in_tiles() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "(300, 400)"
    assert "out of memory: went on with" in done.stderr
