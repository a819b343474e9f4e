"""How a data set of pictures and annotations lies on disk: two folders, two suffixes and a list of names."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from densevl.core.errors import DataError
from densevl.data.folders import walk_files
from densevl.data.label_maps import MASK_SUFFIXES, name_some
from densevl.data.pictures import PICTURE_SUFFIXES, shown

# What makes annotations of a kind from those that are published.
_MAKERS = {
    "_gtFine_labelTrainIds.png": "make them with cityscapesScripts (csCreateTrainIdLabelImgs)",
    "_labelTrainIds.png": "make them with MMSegmentation's tools/dataset_converters/coco_stuff164k.py",
    "_instanceTrainIds.png": "make them from COCO-Stuff's maps of things and stuff (GroupViT's convert_coco_object.py)",
}
_FULL_ADE20K = frozenset({"ADE20K_2021_17_01", "ADE20K_2016_07_26"})  # releases, by the folder they unpack to
_FULL_ADE20K_MARKS = (*_FULL_ADE20K, "images/ADE", "index_ade20k.pkl", "index_ade20k.mat")


@dataclass(frozen=True)
class Layout:
    """Where pictures and annotations lie below the root of a data set.

    The picture of a name is `<images>/<name><image_suffix>`, its annotation `<labels>/<name><label_suffix>`.

    Attributes:
        images: folder of the pictures; searched with its sub-folders, which become part of the names.
        labels: folder of the annotations.
        image_suffix: such as `.jpg` or `_leftImg8bit.png`; empty: any picture.
        label_suffix: such as `.png`; empty: any file that can be a label map.
        split: file with the names of one part, one a line; empty: all pictures.
    """

    images: str
    labels: str
    image_suffix: str = ""
    label_suffix: str = ""
    split: str = ""


@dataclass(frozen=True)
class SetFiles:
    """What was found.

    Attributes:
        root: of the data set.
        images: pictures by name, sorted.
        labels: annotations by name, sorted.
        listed: names of the split file, in its order; None without one.
    """

    root: Path
    images: Mapping[str, Path]
    labels: Mapping[str, Path]
    listed: tuple[str, ...] | None

    @property
    def names(self) -> tuple[str, ...]:
        """What belongs to the part: the names of the split file, or those of all pictures."""
        return tuple(self.images) if self.listed is None else self.listed

    @property
    def without_picture(self) -> tuple[str, ...]:
        """Names of the split file, or of all annotations, that have no picture."""
        return tuple(name for name in (self.listed or self.labels) if name not in self.images)

    @property
    def without_annotation(self) -> tuple[str, ...]:
        """Names of the part that have a picture and no annotation."""
        return tuple(name for name in self.names if name in self.images and name not in self.labels)


def find_files(root: Path, layout: Layout) -> SetFiles:
    """List a data set.

    Args:
        root: its folder, the one that holds it, or one inside it.
        layout: how it should lie there.

    Raises:
        DataError: no such folder or split file, the folders of another data set, two files of one name.
    """
    root = find_root(root, layout)
    listed = None if not layout.split else read_split(root / layout.split)
    images = name_files(root / layout.images, (layout.image_suffix,) if layout.image_suffix else PICTURE_SUFFIXES)
    labels = name_files(root / layout.labels, (layout.label_suffix,) if layout.label_suffix else MASK_SUFFIXES)
    return SetFiles(root, images, labels, listed)


def find_root(folder: Path, layout: Layout) -> Path:
    """The root of a data set: the folder itself, the only one in it that fits, or the one above.

    Raises:
        DataError: none fits, or several do; says what was expected.
    """
    if not folder.is_dir():
        raise DataError(f"no such folder {shown(folder)}: give the folder of the data set")
    if fits(folder, layout):
        return folder
    inside = [child for child in sorted(folder.iterdir()) if child.is_dir() and fits(child, layout)]
    if len(inside) > 1:
        names = ", ".join(child.name for child in inside)
        raise DataError(f"{shown(folder)} holds several data sets that fit ({names}): name one of them")
    above = folder.absolute().parent
    if not inside and not fits(above, layout):
        raise DataError(_say_misfit(folder, layout))
    return inside[0] if inside else above


def fits(folder: Path, layout: Layout) -> bool:
    """Whether a folder has the folders of pictures and annotations, and the split file."""
    wanted = [folder / layout.images, folder / layout.labels]
    return all(path.is_dir() for path in wanted) and (not layout.split or (folder / layout.split).is_file())


def read_split(path: Path) -> tuple[str, ...]:
    """The names of a split file, one a line.

    Raises:
        DataError: it cannot be read, or names nothing.
    """
    try:
        lines = path.read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(f"the split file {shown(path)} cannot be read ({error}): write one name a line") from error
    names = tuple(dict.fromkeys(line.strip() for line in lines if line.strip()))
    if not names:
        raise DataError(f"the split file {shown(path)} names nothing: write one name a line")
    return names


def require_pairs(found: SetFiles, layout: Layout) -> tuple[str, ...]:
    """The names of a part, each with its picture and its annotation.

    Raises:
        DataError: no pictures, or some file of the part is missing; names the first and what makes them.
    """
    pictures = f"{shown(found.root / layout.images)} ('{layout.image_suffix or 'any picture'}')"
    if not found.images:
        raise DataError(f"no pictures in {pictures}: check the path, or set data.image_suffix")
    without = [name for name in found.names if name not in found.images]
    if without:
        message = f"{_count(without, found.names)} of {layout.split} have no picture in {pictures}"
        raise DataError(f"{message}; fetch them, or mend the list: a line is a name without suffix, and nothing else")
    bare = found.without_annotation
    if bare:
        folder = f"{shown(found.root / layout.labels)} ('{layout.label_suffix or 'any label map'}')"
        cure = _MAKERS.get(layout.label_suffix, "fetch them, or set data.labels and data.label_suffix")
        raise DataError(f"{_count(bare, found.names)} pictures have no annotation in {folder}; {cure}")
    return found.names


def is_full_ade20k(folder: Path) -> bool:
    """Whether a folder is, holds or lies in the full ADE20K: thousands of classes, coded in colours."""
    inside = not _FULL_ADE20K.isdisjoint(folder.absolute().parts)
    return inside or any((folder / mark).exists() for mark in _FULL_ADE20K_MARKS)


def name_files(folder: Path, suffixes: Sequence[str]) -> dict[str, Path]:
    """Files below a folder by relative path without suffix, sorted; hidden ones are left out.

    Raises:
        DataError: two of one name.
    """
    found: dict[str, Path] = {}
    for path in sorted(walk_files(folder)):
        suffix = next((end for end in suffixes if path.name.lower().endswith(end.lower())), None)
        if suffix is None:
            continue
        name = shown(path.relative_to(folder).as_posix()[: -len(suffix)])
        if name in found:
            raise DataError(f"{shown(found[name])} and {shown(path)} have one name: keep one, or set the suffix")
        found[name] = path
    return found


def _count(names: Sequence[str], of: Sequence[str]) -> str:
    return f"{len(names)} of {len(of)} ({name_some(names)})"


def _say_misfit(folder: Path, layout: Layout) -> str:
    if is_full_ade20k(folder):
        return (
            f"{shown(folder)} is the full ADE20K, not the scene parsing benchmark (ADEChallengeData2016, 150 classes): "
            "convert it with tools/convert_full_ade20k.py"
        )
    wanted = [layout.images, layout.labels, *([layout.split] if layout.split else [])]
    missing = [part for part in wanted if not (folder / part).exists()]
    there = sorted(child.name for child in folder.iterdir())
    return (
        f"{shown(folder)} has no {' and no '.join(missing)}: expected {', '.join(wanted)}; there: "
        f"{name_some(there) or 'nothing'}. Give the root of the data set, or set data.images and data.labels"
    )
