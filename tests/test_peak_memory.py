"""12 megapixels and 1203 classes: the full score tensor would take 58 GB."""

from __future__ import annotations

import subprocess
import sys

LIMIT_MB = 400
SCRIPT = """
import resource, sys
import numpy as np
from densevl.extractors import MaskCLIPExtractor
from densevl.heads import CosineHead
from densevl.tasks import Geometry, Segmenter
from tests.tiny import tiny_clip

peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)
clip_model = tiny_clip()
geometry = Geometry(short_side=448, window=448, stride=224)
segmenter = Segmenter(MaskCLIPExtractor(clip_model), clip_model, head=CosineHead(), geometry=geometry)
bank = segmenter.encode([f"class {number}" for number in range(1203)], ["{}"])
segmenter.predict_batch([np.zeros((64, 64, 3), np.uint8)], bank)
loaded = peak()
coarse = np.random.default_rng(0).integers(0, 256, (30, 40, 3), dtype=np.uint8)
picture = np.repeat(np.repeat(coarse, 100, axis=0), 100, axis=1)
result = segmenter.predict_batch([picture], bank)[0]
print(result.label_map.shape, result.label_map.dtype, round(peak() - loaded, 1))
"""


def test_memory_does_not_grow_with_pixels_times_classes() -> None:
    done = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)
    shape, grown = done.stdout.rsplit(maxsplit=1)
    assert shape == "(3000, 4000) uint16"
    assert float(grown) < LIMIT_MB
