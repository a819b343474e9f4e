"""`densevl check-data`: pictures and their annotations against the official split and the class list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np
from PIL import Image

from densevl.core.errors import DataError, PictureError, UsageError
from densevl.data.check import CheckRequest, ClassCount, DataReport, Decode, Problem, SplitCount
from densevl.data.guess_set import choose_set, layout_of
from densevl.data.label_causes import Cause, cause_outside, doubts_inside, is_scored
from densevl.data.label_maps import LabelRule, count_ids, name_some, read_label_map, what_else
from densevl.data.layouts import Layout, SetFiles, find_files, read_split, require_pairs
from densevl.data.pictures import header_size, read_picture, shown
from densevl.vocab import parse_classes

_FAILING = frozenset({"missing", "unreadable", "colours", "sizes", "ids"})
_ACTIONS = {
    "unreadable": "fetch or write it anew",
    "colours": "convert it to class ids",
    "sizes": "write the annotation at the size of its picture",
}


@dataclass(frozen=True)
class _Part:
    """Names that belong together, and how many there should be."""

    name: str
    names: tuple[str, ...]
    expected: int


@dataclass(frozen=True)
class _Look:
    """What one pair showed: the pixels of every id (none if not decoded), and (path, kind, detail) of every fault."""

    ids: Mapping[int, int]
    faults: tuple[tuple[str, str, str], ...] = ()


@dataclass(frozen=True)
class _Labels:
    """The annotations of all pairs together."""

    rule: LabelRule
    class_names: tuple[str, ...]
    dataset: str
    looks: Sequence[_Look]

    @cached_property
    def pixels(self) -> Counter[int]:
        """Pixels of every id."""
        total = Counter[int]()
        for look in self.looks:
            total.update(look.ids)
        return total

    @cached_property
    def cause(self) -> Cause | None:
        """Why ids fall outside the classes."""
        return cause_outside(sorted(self.pixels), self.rule, dataset=self.dataset)

    def counts(self) -> tuple[ClassCount, ...]:
        """Every class with its pixels and pictures; none if no annotation was decoded."""
        if not self.pixels:
            return ()
        pictures = Counter(i for look in self.looks for i in look.ids)
        named = enumerate(self.class_names, self.rule.first_id)
        return tuple(ClassCount(i, name, self.pixels[i], pictures[i]) for i, name in named)

    def notes(self) -> Iterator[str]:
        """What is to be said of the ids as a whole."""
        if not self.pixels:
            return
        if self.cause:
            yield f"ids outside the {len(self.class_names)} classes, most likely {self.cause}"
        yield from doubts_inside(list(self.pixels), self.rule, annotations=len(self.looks))
        outside = self.rule.outside(self.pixels)
        unscored = [i for i in sorted(self.pixels) if not is_scored(i, self.rule) and i not in outside]
        if unscored:
            share = sum(self.pixels[i] for i in unscored) / self.pixels.total()
            yield f"{100 * share:.1f}% of the pixels are not scored (id {name_some([str(i) for i in unscored])})"


def check_segmentation(folder: Path, request: CheckRequest) -> DataReport:
    """Compare the pictures and annotations of a folder with each other, a split and a class list.

    Problems: `missing` (a picture or an annotation without the other, or neither of a listed name), `unreadable`,
    `colours` (an annotation of colours or floats), `sizes` (picture and annotation differ), `ids` (outside the class
    list; the likely cause is told from the ids of the whole set). A pair is usable if it has none of them.

    Args:
        folder: the root of a data set, the folder that holds it, or one inside it.
        request: the data set (else told by the folders), what of it is set otherwise, lists in place of its split,
            threads, and how much is decoded: `none` opens the headers, `first` decodes annotations, `all` pictures too.

    Raises:
        UsageError: no or several data sets fit the folders; a set of one's own without a class list.
        DataError: no such folder, or nothing in it; a faulty list or class list; two files of one name.
    """
    section, why = choose_set(folder, request.dataset)
    section |= request.changes
    layout = layout_of(section)
    classes = parse_classes(_require_classes(section.get("classes"))).names
    rule = LabelRule(len(classes), frozenset(section.get("ignore", ())), section.get("reduce_zero_label", False))
    found = find_files(folder, layout)
    lists = {path: read_split(path) for path in request.lists}
    if lists:
        found = replace(found, listed=tuple(dict.fromkeys(name for listed in lists.values() for name in listed)))
    if not found.names and not found.labels:
        require_pairs(found, layout)  # raises: nothing is there
    parts = _parts(found, layout, lists, section.get("expected"))
    names = dict.fromkeys(name for part in parts for name in part.names)
    pairs = tuple(name for name in names if name in found.images and name in found.labels)
    looks = dict(zip(pairs, _look_at_all(found, pairs, request), strict=True))
    labels = _Labels(rule, classes, section["name"], tuple(looks.values()))
    faults = {name: _faults(look, shown(found.labels[name]), labels) for name, look in looks.items()}
    problems = [*_missing(found, layout, parts), *_as_problems(faults, parts)]
    broken = {name for name, known in faults.items() if known}
    return DataReport(
        "segmentation",
        str(folder),
        sum(name in files for name in names for files in (found.images, found.labels)),
        tuple(_count(part, set(pairs), broken) for part in parts),
        tuple(problems),
        _FAILING,
        notes=(why, *_set_notes(found, layout, parts), *labels.notes()),
        dataset=section["name"],
        classes=labels.counts(),
    )


def _require_classes(classes: str | None) -> str:
    if not classes:
        raise UsageError("this data set names no classes: add --classes LIST|FILE|TEXT, in the order of the ids")
    return classes


def _parts(
    found: SetFiles, layout: Layout, lists: Mapping[Path, tuple[str, ...]], expected: int | None
) -> tuple[_Part, ...]:
    if lists:
        return tuple(_Part(path.stem, names, len(names)) for path, names in lists.items())
    names = found.names if found.listed is not None else tuple(sorted({*found.images, *found.labels}))
    return (_Part(Path(layout.split or layout.images).stem, names, expected or len(names)),)


def _look_at_all(found: SetFiles, names: Sequence[str], request: CheckRequest) -> list[_Look]:
    """What every pair shows; decoders leave the interpreter to other threads."""
    pool = ThreadPoolExecutor(request.workers)
    futures = [pool.submit(_look_at, found.images[name], found.labels[name], request.decode) for name in names]
    try:
        return list(request.track((future.result() for future in futures), len(futures)))
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # an interrupt does not wait for what nobody will look at


def _look_at(picture: Path, annotation: Path, decode: Decode) -> _Look:
    ids, label_size, faults = _read_annotation(annotation, decode)
    size = header_size(picture)
    if size is None or decode == "all" or (label_size and size != label_size):  # headers know nothing of EXIF turns
        try:
            size = read_picture(picture).shape[:2]
        except PictureError as error:
            size, detail = None, str(error).removeprefix(f"{shown(picture)}: ")
            faults.append((shown(picture), "unreadable", detail))
    if size and label_size and size != label_size:
        detail = f"{label_size[1]}x{label_size[0]}, its picture is {size[1]}x{size[0]}"
        faults.append((shown(annotation), "sizes", detail))
    return _Look(ids, tuple(faults))


def _read_annotation(
    path: Path, decode: Decode
) -> tuple[dict[int, int], tuple[int, int] | None, list[tuple[str, str, str]]]:
    """Pixels of every id, (H, W), and faults."""
    size = header_size(path)
    if other := _what_else(path):
        return {}, size, [(shown(path), "colours", f"holds {other}, not ids")]
    try:
        if decode == "none" and size:
            return {}, size, []
        ids = read_label_map(path)
    except DataError as error:
        return {}, None, [(shown(path), "unreadable", str(error).removeprefix(str(path)).lstrip(": "))]
    counts = count_ids(ids)
    return {int(i): int(counts[i]) for i in np.flatnonzero(counts)}, ids.shape, []


def _what_else(path: Path) -> str | None:
    """What a file holds in place of ids; None where it may hold ids, or cannot be opened."""
    try:
        with Image.open(path) as image:
            return what_else(image.mode)
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return None


def _faults(look: _Look, annotation: str, labels: _Labels) -> list[tuple[str, str, str, str]]:
    """Path, kind, detail and action of all that is wrong with a pair."""
    faults = [(*fault, _ACTIONS[fault[1]]) for fault in look.faults]
    outside = labels.rule.outside(sorted(look.ids))
    if outside and labels.cause:
        first, last = labels.rule.first_id, labels.rule.first_id + labels.rule.num_classes - 1
        detail = f"ids {name_some([str(i) for i in outside])} outside {first}..{last}, likely {labels.cause.cause}"
        faults.append((annotation, "ids", detail, labels.cause.cure))
    return faults


def _as_problems(
    faults: Mapping[str, Iterable[tuple[str, str, str, str]]], parts: Sequence[_Part]
) -> Iterator[Problem]:
    part_of = {name: part.name for part in parts for name in part.names}
    for name, known in faults.items():
        for path, kind, detail, action in known:
            yield Problem(path, part_of[name], kind, detail, action)


def _missing(found: SetFiles, layout: Layout, parts: Sequence[_Part]) -> Iterator[Problem]:
    """What a picture or an annotation lacks, or a listed name."""
    picture = f"{shown(found.root / layout.images)}/{{}}{layout.image_suffix or '.*'}"
    annotation = f"{shown(found.root / layout.labels)}/{{}}{layout.label_suffix or '.*'}"
    for part in parts:
        for name in part.names:
            has = name in found.images, name in found.labels
            if not has[0]:
                detail = "no picture of an annotation" if has[1] else "no picture, and no annotation"
                yield Problem(picture.format(name), part.name, "missing", detail, "fetch it anew")
            elif not has[1]:
                detail = "no annotation of a picture"
                yield Problem(annotation.format(name), part.name, "missing", detail, "fetch or make it")


def _count(part: _Part, pairs: set[str], broken: set[str]) -> SplitCount:
    there = pairs.intersection(part.names)
    return SplitCount(part.name, part.expected, len(there), len(there - broken))


def _set_notes(found: SetFiles, layout: Layout, parts: Sequence[_Part]) -> Iterator[str]:
    for part in parts:
        if len(part.names) != part.expected:
            yield f"{part.name}: {len(part.names)} names here, {part.expected} as published; figures are of this part"
    try:
        require_pairs(found, layout)
    except DataError as error:
        yield f"`densevl eval` would stop: {error}"
