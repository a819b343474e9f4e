"""Data sets of pictures and annotations, in their official layouts or in any two folders."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from densevl.core.config import config_folder, read_config
from densevl.core.files import sha256_bytes
from densevl.data.label_maps import LabelRule, decode_label_map, name_some
from densevl.data.layouts import Layout, SetFiles, find_files, require_pairs
from densevl.data.pictures import decode_picture, read_bytes, shown
from densevl.vocab import parse_classes

logger = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class SegmentationSet:
    """Pictures with label maps of one size (a core.stages.LabelledSet).

    Attributes:
        root: the folder of the data set, the one that holds it, or one inside it.
        images: folder of the pictures, below the root.
        labels: folder of the annotations, below the root.
        classes: the classes in the order of their ids: a shipped list, a file or text.
        name: of the data set.
        image_suffix: what the files of pictures end in; empty: any picture.
        label_suffix: what those of annotations end in; empty: any label map.
        split: file below the root with the names of a part, one a line; empty: all pictures.
        reduce_zero_label: annotations hold 0 = other, which is not scored, and classes from 1.
        ignore: ids of annotations that are not scored, beside 255 (65535 above 255 classes).
        expected: how many pictures the official part has.

    Raises:
        DataError: folders, the split file, pictures or annotations are missing; a faulty class list.
    """

    root: str | Path
    images: str
    labels: str
    classes: Any
    name: str = "folders"
    image_suffix: str = ""
    label_suffix: str = ""
    split: str = ""
    reduce_zero_label: bool = False
    ignore: Sequence[int] = ()
    expected: int | None = None

    def __post_init__(self) -> None:
        """Read the classes, find all files."""
        count, _ = len(self._pairs), self.rule
        lonely = self._found.without_picture
        if lonely:
            logger.warning("%d annotations without a picture are left out: %s", len(lonely), name_some(lonely))
        if self.expected not in (None, count):
            logger.warning(
                "%s has %d pictures here and %d as published: its figures are of this part alone",
                *(self.name, count, self.expected),
            )

    @cached_property
    def class_names(self) -> tuple[str, ...]:
        """K names, in the order of the ids."""
        return parse_classes(self.classes).names

    @property
    def ignore_index(self) -> int:
        """The id of pixels that are not scored: 255, or 65535 above 255 classes."""
        return self.rule.ignore_index

    @cached_property
    def rule(self) -> LabelRule:
        """How ids of annotations become classes."""
        return LabelRule(len(self.class_names), frozenset(self.ignore), self.reduce_zero_label)

    @cached_property
    def layout(self) -> Layout:
        """Where the files should lie."""
        return Layout(self.images, self.labels, self.image_suffix, self.label_suffix, self.split)

    def __len__(self) -> int:
        return len(self._pairs)

    def names(self) -> Sequence[str]:
        """The name of every picture: its path below `images` without suffix."""
        return self._names

    def origin(self, index: int) -> str:
        """The file of a picture."""
        return shown(self._files(index)[0])

    def digests(self, index: int) -> tuple[str, str]:
        """The sha256 of a picture's file and of its annotation's; nothing is decoded.

        Raises:
            PictureError: one cannot be read.
        """
        picture, label = self._files(index)
        return sha256_bytes(read_bytes(picture)), sha256_bytes(read_bytes(label))

    def read(self, index: int) -> tuple[np.ndarray, str]:
        """Decode a picture: uint8 RGB [H, W, 3] and the sha256 of the file.

        Raises:
            PictureError: it cannot be read.
        """
        data = read_bytes(self._files(index)[0])
        return decode_picture(data, self.origin(index)), sha256_bytes(data)

    def read_labels(self, index: int) -> tuple[np.ndarray, str]:
        """Decode an annotation: [H, W] uint8 or uint16 classes or `ignore_index`, and the sha256 of the file.

        Raises:
            DataError: it cannot be read, or holds ids outside the classes.
        """
        path = self._files(index)[1]
        data, name = read_bytes(path), shown(path)
        return self.rule.to_classes(decode_label_map(data, name), name), sha256_bytes(data)

    def _files(self, index: int) -> tuple[Path, Path]:
        return self._pairs[self._names[index]]

    @cached_property
    def _names(self) -> tuple[str, ...]:
        return tuple(self._pairs)

    @cached_property
    def _pairs(self) -> Mapping[str, tuple[Path, Path]]:
        """Picture and annotation of every name."""
        found = self._found
        return {name: (found.images[name], found.labels[name]) for name in require_pairs(found, self.layout)}

    @cached_property
    def _found(self) -> SetFiles:
        return find_files(Path(self.root), self.layout)


def known_sets() -> dict[str, dict[str, Any]]:
    """The `data` sections of the data sets we know, by name: `configs/_base_/datasets/*.py`."""
    files = sorted(config_folder().glob("_base_/datasets/*.py"))
    return {path.stem: read_config(path).to_dict()["data"] for path in files}
