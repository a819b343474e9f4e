"""`densevl check-data`: pictures and their annotations against the official split and the class list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from densevl.core.errors import DataError, PictureError, UsageError
from densevl.data.check import CheckRequest, ClassCount, DataReport, Problem, SplitCount
from densevl.data.guess_set import choose_set
from densevl.data.label_causes import Cause, cause_outside, doubts_inside
from densevl.data.label_maps import LabelRule, count_ids, name_some, read_label_map
from densevl.data.layouts import Layout, SetFiles, find_files, read_split, require_pairs
from densevl.data.pictures import header_size, read_picture, shown
from densevl.vocab import parse_classes

_FAILING = frozenset({"unreadable", "colours", "sizes", "ids"})
_COLOUR_MODES = frozenset({"RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "LAB", "HSV"})
_ACTIONS = {
    "unreadable": "fetch or write it anew",
    "colours": "convert it to class ids",
    "sizes": "write the annotation at the size of its picture",
}


@dataclass(frozen=True)
class _Look:
    """What one pair showed: pixels of every id (empty if not decoded), and (path, kind, detail) of every fault."""

    ids: Mapping[int, int]
    faults: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class _Part:
    """Names that belong together, and how many there should be."""

    name: str
    names: tuple[str, ...]
    expected: int


def check_segmentation(folder: Path, request: CheckRequest) -> DataReport:
    """Compare the pictures and annotations of a folder with each other, a split and a class list.

    Problems: `missing` (a picture or an annotation without the other, or neither of a listed name), `unreadable`,
    `colours` (an annotation of colours), `sizes` (picture and annotation differ), `ids` (outside the class list; the
    likely cause is told from the ids of the whole set). A pair is usable if it has none of them.

    Args:
        folder: the root of a data set, the folder that holds it, or one inside it.
        request: the data set and its classes (else told by the folders), lists in place of its split, threads, and how
            much is decoded: `none` opens the headers, `first` decodes annotations, `all` decodes pictures too.

    Raises:
        UsageError: no or several data sets fit the folders; a set of one's own without a class list.
        DataError: no such folder; a faulty list or class list; two files of one name.
    """
    section, why = choose_set(folder, request.dataset)
    layout = _layout_of(section)
    names = _class_names(section, request)
    rule = LabelRule(len(names), frozenset(section.get("ignore", ())), section.get("reduce_zero_label", False))
    found = find_files(folder, layout)
    parts = _parts(found, request.lists, section)
    pairs = tuple(dict.fromkeys(n for part in parts for n in part.names if n in found.images and n in found.labels))
    looks = dict(zip(pairs, _look_at_all(found, pairs, request), strict=True))
    pixels = Counter[int]()
    pictures = Counter(id_ for look in looks.values() for id_ in look.ids)
    for look in looks.values():
        pixels.update(look.ids)
    cause = cause_outside(sorted(pixels), rule, dataset=section["name"])
    problems, broken = list(_missing(found, parts, layout)), set[str]()
    for name, look in looks.items():
        faults = [*_faults(look), *_outside(look, shown(found.labels[name]), rule, cause)]
        problems += [Problem(path, _part_of(name, parts), *rest) for path, *rest in faults]
        broken |= {name} if faults else set()
    first = rule.first_id
    return DataReport(
        kind="segmentation",
        folder=str(folder),
        files=sum(name in files for part in parts for name in part.names for files in (found.images, found.labels)),
        splits=tuple(_count(part, pairs, broken) for part in parts),
        problems=tuple(problems),
        failing=_FAILING,
        notes=tuple(_notes(found, layout, parts, why=why)) + tuple(_label_notes(pixels, rule, cause, len(looks))),
        dataset=section["name"],
        classes=tuple(ClassCount(i, name, pixels[i], pictures[i]) for i, name in enumerate(names, first))
        if pixels
        else (),
    )
