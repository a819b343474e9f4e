"""Kinetics clips on disk: which file is which clip, by either rule of naming.

- `{youtube_id}_{start:06d}_{end:06d}.mp4`, in one folder or in folders by split or class;
- `class_name/{youtube_id}.mp4`, with `_` for blanks in the class.
"""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from densevl.core.errors import SourceError
from densevl.data.frames import CLIP_SUFFIXES

_TIMED = re.compile(r"(?P<id>.+)_(?P<start>\d{6})_(?P<end>\d{6})")
_YOUTUBE_ID = re.compile(r"[\w-]{11}", re.ASCII)


@dataclass(frozen=True)
class Moment:
    """What Kinetics calls a clip: seconds `start` to `end` of a video of YouTube."""

    youtube_id: str
    start: int
    end: int

    @property
    def stem(self) -> str:
        """The file name without its suffix."""
        return f"{self.youtube_id}_{self.start:06d}_{self.end:06d}"

    @property
    def seconds(self) -> int:
        """Length as listed."""
        return self.end - self.start


def parse_stem(stem: str) -> Moment | None:
    """The moment that a file name says, or None where it has no times."""
    found = _TIMED.fullmatch(stem)
    return Moment(found["id"], int(found["start"]), int(found["end"])) if found else None


def is_kinetics_name(stem: str) -> bool:
    """Whether a file name says which clip it is, wherever it lies: an id, with or without times."""
    return parse_stem(stem) is not None or _YOUTUBE_ID.fullmatch(stem) is not None


def fold_class(name: str) -> str:
    """A class as folders spell it: no quotes, `_` for blanks, case does not count."""
    return "_".join(name.replace('"', "").replace("_", " ").split()).casefold()


def find_clips(folder: Path) -> tuple[Path, ...]:
    """Every clip below a folder, sorted; hidden files and folders are left out, links to folders are followed once.

    Raises:
        SourceError: no such folder.
    """
    if not folder.is_dir():
        raise SourceError(f"no such folder {folder}: expected the folder that holds the clips; check the path")
    found: list[Path] = []
    seen: set[str] = set()
    for here, folders, files in os.walk(folder, followlinks=True):
        real = os.path.realpath(here)
        folders[:] = [] if real in seen else [name for name in folders if not name.startswith(".")]
        if real not in seen:
            clips = (name for name in files if name.lower().endswith(CLIP_SUFFIXES) and not name.startswith("."))
            found.extend(Path(here, name) for name in clips)
        seen.add(real)
    return tuple(sorted(found))


@dataclass(frozen=True)
class ClipIndex:
    """Clips of a folder by file name.

    Attributes:
        folder: where they lie.
        by_stem: file name without suffix -> the files called so, more than one if a clip lies in two places.
    """

    folder: Path
    by_stem: Mapping[str, Sequence[Path]]

    @classmethod
    def of(cls, folder: Path, paths: Iterable[Path]) -> ClipIndex:
        """Index the clips that `find_clips` found."""
        by_stem: dict[str, list[Path]] = defaultdict(list)
        for path in paths:
            by_stem[path.stem].append(path)
        return cls(folder, dict(by_stem))

    def find(self, moment: Moment, label: str = "") -> tuple[Path, ...]:
        """The files that hold a clip, none if it is missing: by id and times, else by the id alone.

        Where a label is given and one of the files called by the id alone lies in the folder of that class, it is the
        clip; the others may be the same video under other classes.
        """
        timed = self.by_stem.get(moment.stem, ())
        if timed:
            return tuple(timed)
        named = self.by_stem.get(moment.youtube_id, ())
        in_class = tuple(path for path in named if label and fold_class(path.parent.name) == fold_class(label))
        return in_class or tuple(named)

    def path_of(self, moment: Moment, label: str = "") -> Path:
        """Where a clip lies, or where it would lie."""
        found = self.find(moment, label)
        return found[0] if found else self.folder / f"{moment.stem}.mp4"
