"""Lists of labelled clips: a list file or a folder of class folders -> one frozen `ClipList`."""

from __future__ import annotations

import logging
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from densevl.core.errors import ShapeError
from densevl.core.files import sha256_bytes
from video.class_names import read_class_names
from video.clip_files import ClipIndex, find_clips, fold_class, parse_stem
from video.list_forms import ClipListError, ListFile, ListRow, read_rows

logger = logging.getLogger(__name__)

_NUMBER = re.compile(r"[+-]?\d+(\.\d*)?")


@dataclass(frozen=True)
class ClipList:
    """N labelled clips of K classes.

    Attributes:
        paths: N files; whether they exist is not looked at.
        labels: N places in `class_names`.
        class_names: K names; empty where labels are numbers and no class list was given.
        source: where it was read.
        rule: how a row was read, in words.
    """

    paths: tuple[Path, ...]
    labels: tuple[int, ...]
    class_names: tuple[str, ...]
    source: str
    rule: str = ""

    def __post_init__(self) -> None:
        if len(self.paths) != len(self.labels):
            raise ShapeError(f"expected a label for each clip, got {len(self.paths)} paths, {len(self.labels)} labels")

    def __len__(self) -> int:
        return len(self.paths)

    def digest(self) -> str:
        """Hex sha256 of the paths below their common folder, and the labels: the same wherever the clips lie."""
        paths = [os.path.abspath(path) for path in self.paths]
        try:
            root = os.path.commonpath([os.path.dirname(path) for path in paths])
        except ValueError:  # none at all, or two drives of Windows
            root = ""
        lines = (f"{path[len(root) :]} {label}" for path, label in zip(paths, self.labels, strict=True))
        return sha256_bytes(os.fsencode("\n".join(lines)))

    @property
    def num_classes(self) -> int:
        """K: names, or where there are none the greatest label and 1."""
        return len(self.class_names) or max(self.labels, default=-1) + 1


def read_clip_list(
    source: str | Path, classes: str | Path | Sequence[str] | None = None, *, root: str | Path | None = None
) -> ClipList:
    """Read labelled clips.

    A file is read in any form of `video.list_forms`. In a folder, each sub-folder is a class. Labels are numbers from 0
    on, or class names (`_` for blanks is fine). Without a class list, numbers stay as they are, with a warning where
    they seem to count from 1, and names are numbered in alphabetical order, as Kinetics does: right for a list in
    which every class occurs.

    Args:
        source: the list file, or the folder of class folders.
        classes: anything that `video.class_names` reads.
        root: the folder that paths start from, and where the clips of Kinetics' own lists are searched; the list's
            own folder if None.

    Raises:
        ClipListError: empty, a row without a label, or a label that is no class; says file and line.
        ClassListError: the class list is missing or faulty.
        SourceError: no such folder.
    """
    source = Path(source)
    class_names = None if classes is None else read_class_names(classes)
    if source.is_dir():
        paths, listed = _read_class_folders(source)
    else:
        listed = read_rows(source)
        paths = _paths_of(listed, source.parent if root is None else Path(root))
    labels, names = number_labels(listed, class_names)
    clips = ClipList(paths, labels, names, str(source), listed.rule)
    logger.info("%s: %d clips, %d classes (%s)", source, len(clips), clips.num_classes, listed.rule)
    return clips


def _paths_of(listed: ListFile, root: Path) -> tuple[Path, ...]:
    """Every row's file, below the root; the clips of Kinetics' own lists are looked for under their two names."""
    moments = any(row.moment for row in listed.rows)
    index = ClipIndex.of(root, find_clips(root)) if moments else None
    return tuple(
        index.path_of(row.moment, row.label) if index and row.moment else root / row.path for row in listed.rows
    )


def _read_class_folders(folder: Path) -> tuple[tuple[Path, ...], ListFile]:
    paths = find_clips(folder)
    if not paths:
        raise ClipListError(f"{folder}: no clips in it; expected folders of clips, one for each class")
    rows = []
    for place, path in enumerate(paths, 1):
        parts = path.relative_to(folder).parts
        rows.append(ListRow(place, str(path), parts[0] if len(parts) > 1 else "", parse_stem(path.stem)))
    return paths, ListFile(str(folder), "the name of a folder is the class of its clips", tuple(rows), "clip")


def number_labels(
    listed: ListFile, class_names: Sequence[str] | None = None
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Labels as written -> places in the class list.

    Returns:
        N labels, and K class names (empty where labels are numbers and there are no names).

    Raises:
        ClipListError: a row without a label, a number that is no label or beyond the class list, numbers among names,
            or a class that is not in the list.
    """
    _refuse_what_is_no_label(listed, class_names or ())
    if all(row.label.isdecimal() for row in listed.rows):
        return _check_numbers(listed, class_names), tuple(class_names or ())
    numbered = [row for row in listed.rows if row.label.isdecimal() and row.label not in (class_names or ())]
    if numbered:
        row = next(row for row in listed.rows if not row.label.isdecimal())
        what = f"'{row.label}' is no number, but {listed.where(numbered[0])} has the number {numbered[0].label}"
        cure = f"read as {row.shown}; write numbers everywhere, or names everywhere"
        raise ClipListError(f"{listed.where(row)}: {what}; {cure}")
    names = tuple(class_names) if class_names else tuple(sorted({row.label for row in listed.rows}))
    return _look_up(listed, names), names


def _refuse_what_is_no_label(listed: ListFile, class_names: Sequence[str]) -> None:
    """No label at all, and numbers that are no place in a list: below 0, or not whole."""
    kinds = {
        "no label": [row for row in listed.rows if not row.label],
        "labels are whole numbers from 0 on, or class names": [
            row
            for row in listed.rows
            if _NUMBER.fullmatch(row.label) and not row.label.isdecimal() and row.label not in class_names
        ],
    }
    for what, rows in kinds.items():
        if rows:
            cure = f"read as {rows[0].shown} ({listed.rule}); write a label for it{_and_more(rows)}"
            raise ClipListError(f"{listed.where(rows[0])}: {what}; {cure}")


def _check_numbers(listed: ListFile, class_names: Sequence[str] | None) -> tuple[int, ...]:
    labels = tuple(int(row.label) for row in listed.rows)
    lowest, highest = min(labels), max(labels)
    seem_from_1 = (
        f"labels run from {lowest} to {highest}, and 0 never occurs: if they count from 1, subtract 1 from each"
    )
    if not class_names:
        if lowest == 1:
            kept = f"read as they are: {highest + 1} classes (0..{highest})"
            logger.warning("%s: %s; %s", listed.source, seem_from_1, kept)
        return labels
    total = len(class_names)
    beyond = [row for row, label in zip(listed.rows, labels, strict=True) if label >= total]
    if beyond:
        what = f"label {beyond[0].label} is beyond the class list, which has {total} classes (0..{total - 1})"
        cure = "take the class list that belongs to this list"
        if lowest > 0 and highest == total:
            cure = f"{seem_from_1}; else {cure}"
        raise ClipListError(f"{listed.where(beyond[0])}: {what}; read as {beyond[0].shown}; {cure}{_and_more(beyond)}")
    return labels


def _look_up(listed: ListFile, names: tuple[str, ...]) -> tuple[int, ...]:
    places: Mapping[str, int] = {fold_class(name): place for place, name in enumerate(names)}
    exact = {name: place for place, name in enumerate(names)}
    labels = [exact.get(row.label, places.get(fold_class(row.label), -1)) for row in listed.rows]
    unknown = [row for row, label in zip(listed.rows, labels, strict=True) if label < 0]
    if unknown:
        what = f"'{unknown[0].label}' is none of the {len(names)} classes; read as {unknown[0].shown} ({listed.rule})"
        cure = "correct it, or take the class list that belongs to this list"
        raise ClipListError(f"{listed.where(unknown[0])}: {what}; {cure}{_and_more(unknown)}")
    return tuple(labels)


def _and_more(rows: Sequence[ListRow]) -> str:
    return f" (and {len(rows) - 1} more)" if len(rows) > 1 else ""
