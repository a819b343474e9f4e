"""Names of outputs: every item of a run needs a place of its own in the output folder."""

from __future__ import annotations

import os
import unicodedata
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from densevl.core.errors import SourceError
from densevl.data.pictures import shown

_WRITTEN_SUFFIXES = (".png", ".jpg", ".npz", ".geojson")


def refuse_clashes(paths: Sequence[Path], names: Sequence[str], *, exclude: str | Path | None = None) -> None:
    """See that every item gets an output of its own in the folder `exclude`.

    Raises:
        SourceError: two would become one output, or an output would stand where a folder must.
    """
    _refuse_nested(paths, names)
    _refuse_same(paths, names, folds_case=exclude is not None and _folds_case(Path(exclude)))


def _refuse_same(paths: Sequence[Path], names: Sequence[str], *, folds_case: bool) -> None:
    first: dict[str, Path] = {}
    clashes: list[tuple[Path, Path, str]] = []
    for path, name in zip(paths, names, strict=True):
        key = unicodedata.normalize("NFC", name.casefold()) if folds_case else name
        other = first.setdefault(key, path)
        if other is not path:
            clashes.append((other, path, name))
    if clashes:
        (other, path, name), *more = clashes
        many = f" ({len(more)} more such pairs)" if more else ""
        raise SourceError(
            f"{shown(other)} and {shown(path)} would both become the output '{name}'{many}: rename one of them, or "
            f"take them in two runs with two --out folders (such as a glob for *{other.suffix} first)"
        )


def _refuse_nested(paths: Sequence[Path], names: Sequence[str]) -> None:
    """x/a.jpg beside the folder x/a.png: an output file and an output folder would have one name."""
    places = {name: path for path, name in zip(paths, names, strict=True)}
    for path, name in zip(paths, names, strict=True):
        for folder in PurePosixPath(name).parents:
            other = places.get(folder.with_suffix("").as_posix()) if folder.suffix in _WRITTEN_SUFFIXES else None
            if other is not None:
                raise SourceError(
                    f"{shown(other)} would be written where the folder of {shown(path)} must stand: rename one of them"
                )


def _folds_case(folder: Path) -> bool:
    """Whether the file system of a folder (or of the nearest one above that exists) takes A and a for the same."""
    path = Path(os.path.abspath(folder))
    for place in (path, *path.parents):
        flipped = place.with_name(place.name.swapcase()) if place.name else place
        if flipped != place and place.exists():
            return flipped.exists() and flipped.samefile(place)
    return False
