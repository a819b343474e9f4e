"""Which of the data sets we know lies in a folder."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from densevl.core.config import read_config
from densevl.core.errors import DataError, UnknownNameError, UsageError
from densevl.data.folders import walk_files
from densevl.data.layouts import Layout, find_root, is_full_ade20k
from densevl.data.pictures import shown
from densevl.data.segmentation import known_sets

FOLDERS = "folders"  # the section of any two folders


def choose_set(folder: Path, name: str | None = None) -> tuple[dict[str, Any], str]:
    """The `data` section of a data set and why it was taken.

    Args:
        folder: its root, the folder that holds it, or one inside it.
        name: of a data set we know, or a config with a `data` section; None: told by the folders.

    Raises:
        UnknownNameError: no such data set.
        UsageError: the folders fit several; a config without folders.
        DataError: no such folder, one that fits none, or the full ADE20K.
    """
    sets = known_sets()
    if name is None:
        return _guess(folder, sets)
    if name in sets:
        return sets[name], f"named: {name}"
    if not name.endswith(".py"):
        raise UnknownNameError("data set", name, sets, "A .py config with a `data` section does as well.")
    section = read_config(name).to_dict().get("data", {})
    if not {"images", "labels"} <= section.keys():
        raise UsageError(f"{name}: expected `data = dict(images=..., labels=...)`, got {section or 'no data section'}")
    return {"name": Path(name).stem, **section}, f"named: {name}"


def layout_of(section: Mapping[str, Any]) -> Layout:
    """Where the files of a `data` section lie."""
    optional = {key: section[key] for key in ("image_suffix", "label_suffix", "split") if section.get(key)}
    return Layout(section["images"], section["labels"], **optional)


def _guess(folder: Path, sets: Mapping[str, dict[str, Any]]) -> tuple[dict[str, Any], str]:
    """The set whose folders are there; of sets that read the same files the one that scores id 0 too."""
    roots = {name: root for name, section in sets.items() if (root := _root(folder, layout_of(section)))}
    own = roots.pop(FOLDERS, None)
    with_labels = {name for name, root in roots.items() if _has_labels(root, layout_of(sets[name]))}
    by_layout: dict[Layout, list[str]] = {}
    for name in sorted(with_labels or roots, key=lambda name: (sets[name].get("reduce_zero_label", False), name)):
        by_layout.setdefault(layout_of(sets[name]), []).append(name)
    if len(by_layout) > 1:
        names = ", ".join(name for same in by_layout.values() for name in same)
        raise UsageError(f"{shown(folder)} fits several data sets ({names}): add --dataset NAME")
    if by_layout:
        (layout, (name, *others)), *_ = by_layout.items()
        same = f" ({', '.join(others)} reads the same files)" if others else ""
        return sets[name], f"taken for {name}{same}: it has {layout.images} and {layout.labels}; --dataset NAME if not"
    if own:
        section = sets[FOLDERS]
        return section, f"taken for a pair of folders: it has {section['images']} and {section['labels']}"
    raise _no_fit(folder, sets)


def _root(folder: Path, layout: Layout) -> Path | None:
    try:
        return find_root(folder, layout)
    except DataError:
        return None


def _has_labels(root: Path, layout: Layout) -> bool:
    """Whether a file of the kind that annotations are lies there: data sets that share folders differ in them."""
    return any(path.name.endswith(layout.label_suffix) for path in walk_files(root / layout.labels))


def _no_fit(folder: Path, sets: Mapping[str, dict[str, Any]]) -> DataError:
    if not folder.is_dir() or is_full_ade20k(folder):
        try:
            find_root(folder, layout_of(sets["ade20k"]))
        except DataError as error:
            return error
    known = "; ".join(f"{name}: {section['images']}, {section['labels']}" for name, section in sets.items())
    return DataError(
        f"{shown(folder)} fits no data set we know ({known}): check the path, name it with --dataset NAME, or say "
        "what else it is with --kind (such as kinetics)"
    )
