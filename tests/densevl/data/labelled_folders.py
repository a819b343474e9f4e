"""Small data sets on disk: pictures, and label maps of given ids."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

SIZE = (4, 6)  # (H, W)


def write_picture(path: Path, *, size: tuple[int, int] = SIZE, turned: bool = False) -> Path:
    """A grey picture; `turned` stores it lying, with an EXIF turn that sets it upright again."""
    path.parent.mkdir(parents=True, exist_ok=True)
    height, width = reversed(size) if turned else size
    exif = Image.Exif()
    if turned:
        exif[0x0112] = 6
    Image.fromarray(np.full((height, width, 3), 128, np.uint8)).save(path, exif=exif)
    return path


def write_labels(path: Path, ids: Sequence[int], *, size: tuple[int, int] = SIZE) -> Path:
    """A label map that holds the ids in turn; 16 bits where they need them."""
    path.parent.mkdir(parents=True, exist_ok=True)
    kind = np.uint8 if max(ids) < 256 else np.uint16
    Image.fromarray(np.resize(np.asarray(ids, dtype=kind), size)).save(path)
    return path


def make_set(
    root: Path,
    ids: Sequence[int] = (0, 1),
    *,
    images: str = "images",
    labels: str = "labels",
    suffixes: tuple[str, str] = (".jpg", ".png"),
    names: Sequence[str] = ("a", "b"),
) -> Path:
    """Pictures and annotations of the same ids under some names."""
    for name in names:
        write_picture(root / images / f"{name}{suffixes[0]}")
        write_labels(root / labels / f"{name}{suffixes[1]}", ids)
    return root


def make_ade20k(root: Path, ids: Sequence[int] = (0, 1, 150), **options) -> Path:
    return make_set(root, ids, images="images/validation", labels="annotations/validation", **options)


def make_voc(root: Path, ids: Sequence[int] = (0, 1, 255), *, listed: Sequence[str] = ("a", "b"), **options) -> Path:
    make_set(root, ids, images="JPEGImages", labels="SegmentationClass", **options)
    split = root / "ImageSets" / "Segmentation" / "val.txt"
    split.parent.mkdir(parents=True)
    split.write_text("\n".join(listed) + "\n")
    return root


def make_cityscapes(
    root: Path, ids: Sequence[int] = (0, 18, 255), *, labels: str = "_gtFine_labelTrainIds.png"
) -> Path:
    names = ("ulm/ulm_000000_000019", "ulm/ulm_000001_000019")
    suffixes = ("_leftImg8bit.png", labels)
    return make_set(root, ids, images="leftImg8bit/val", labels="gtFine/val", suffixes=suffixes, names=names)


def make_coco(root: Path, ids: Sequence[int], suffix: str) -> Path:
    folders = {"images": "images/val2017", "labels": "annotations/val2017"}
    return make_set(root, ids, **folders, suffixes=(".jpg", suffix), names=("000000000139",))
