"""A small folder in the layout of ADE20K: pictures of blocks, 0 = other, classes from 1, and 255 here and there."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

_BESIDE = Path(__file__).resolve().parents[4] / "shared/data/ade20k_sample"
REAL_ADE = Path(os.environ.get("DENSEVL_ADE20K", _BESIDE))
real_ade = pytest.mark.skipif(not REAL_ADE.is_dir(), reason="no ADE20K here: name its folder in DENSEVL_ADE20K")
PREFIX = {"img_path": "images/validation", "seg_map_path": "annotations/validation"}


def draw(seed: int, values: int) -> np.ndarray:
    """[64, 80 or 96, 3] uint8 blocks of 0..values-1."""
    coarse = np.random.default_rng(seed).integers(0, values, (4, 5 + seed % 2, 3), dtype=np.uint8)
    return coarse.repeat(16, axis=0).repeat(16, axis=1)


def write_ade(root: Path, *, pictures: int = 3, ids: int = 151) -> Path:
    """Write pictures and annotations of ids 0..ids-1 and 255."""
    for place in ("images", "annotations"):
        (root / place / "validation").mkdir(parents=True)
    for index in range(pictures):
        name = f"validation/ADE_val_{index + 1:08}"
        Image.fromarray(draw(index, 256)).save(root / "images" / f"{name}.jpg", quality=95)
        label = draw(index + 100, ids)[..., 0]
        label[:5, :7] = 255
        Image.fromarray(label).save(root / "annotations" / f"{name}.png")
    return root
