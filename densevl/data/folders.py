"""SOURCE of a run: a file, folder, glob, list file or `-` becomes a list of pictures with names for their outputs."""

from __future__ import annotations

import functools
import glob
import os
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

import numpy as np

from densevl.core.errors import SourceError
from densevl.core.files import sha256_bytes
from densevl.data.frame_source import FrameSource, is_clip
from densevl.data.frames import CLIP_SUFFIXES
from densevl.data.output_names import refuse_clashes
from densevl.data.pictures import PICTURE_SUFFIXES, decode_picture, header_size, read_bytes, shown

# What a run writes into its output folder: left out when the pictures lie in the same folder, or around it.
WRITTEN_FOLDERS = ("labels", "overlay", "scores", "confidence", "geojson")
_MARKS = ("journal.jsonl", "run.json")  # by which the output folder of any run is known


@dataclass(frozen=True)
class FileKind:
    """What a run takes from a folder or glob: by suffix, and in words."""

    suffixes: tuple[str, ...]
    single: str
    plural: str


CLIP_FILES = FileKind(CLIP_SUFFIXES, "clip", "clips")
_PICTURES_AND_CLIPS = FileKind((*PICTURE_SUFFIXES, *CLIP_SUFFIXES), "picture, a clip", "pictures")


@dataclass(frozen=True)
class PictureSource:
    """The pictures of a run (a core.stages.Source).

    Attributes:
        paths: where they are, sorted or in the order of the list.
        output_names: relative posix paths without suffix, unique, free of `..`.
    """

    paths: tuple[Path, ...]
    output_names: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.paths)

    def names(self) -> Sequence[str]:
        """The output name of every picture."""
        return self.output_names

    def origin(self, index: int) -> str:
        """Where a picture comes from: its file."""
        return shown(self.paths[index])

    def size(self, index: int) -> tuple[int, int] | None:
        """(H, W) as the file's header says; None where it says nothing."""
        return header_size(self.paths[index])

    def digest(self, index: int) -> str:
        """The sha256 of a picture's file.

        Raises:
            PictureError: it cannot be read.
        """
        return sha256_bytes(read_bytes(self.paths[index]))

    def read(self, index: int) -> tuple[np.ndarray, str]:
        """Decode a picture: uint8 RGB [H, W, 3] and the sha256 of the file.

        Raises:
            PictureError: it cannot be read.
        """
        data = read_bytes(self.paths[index])
        return decode_picture(data, shown(self.paths[index])), sha256_bytes(data)


def open_source(
    text: str, *, stdin: TextIO | None = None, exclude: str | Path | None = None, every: int | None = None
) -> PictureSource | FrameSource:
    """Find the pictures and clips that SOURCE means; no picture is decoded, and of clips the packets are read.

    A folder is searched with its sub-folders, a glob may hold `**`; both leave hidden files out and take only
    PICTURE_SUFFIXES and CLIP_SUFFIXES. A `.txt` file or `-` (stdin) lists one path a line, `#` starts a comment line;
    a list and a file are taken as they are, and what has no clip's suffix counts as a picture.

    Args:
        text: the SOURCE argument.
        stdin: where `-` is read from; sys.stdin if None.
        exclude: the output folder; what lies in it is no input of a folder or glob.
        every: take every n-th frame of a clip; None: one a second.

    Returns:
        The pictures; a FrameSource where there are clips.

    Raises:
        SourceError: absent, unreadable, without pictures, or two pictures that would become one output.
    """
    paths, names = find_files(text, _PICTURES_AND_CLIPS, stdin=stdin, exclude=exclude)
    if any(map(is_clip, paths)):
        source: PictureSource | FrameSource = FrameSource(paths, names, every=every)
    else:
        source = PictureSource(tuple(paths), tuple(names))
    refuse_clashes(source.paths, source.output_names, exclude=exclude)
    return source


def find_files(
    text: str, kind: FileKind, *, stdin: TextIO | None = None, exclude: str | Path | None = None
) -> tuple[list[Path], list[str]]:
    """The files that SOURCE means, as `open_source` finds them, whatever is made of them.

    Args:
        text: the SOURCE argument.
        kind: what is taken from a folder or glob.
        stdin: where `-` is read from; sys.stdin if None.
        exclude: the output folder.

    Returns:
        Paths and output names; the names are not yet seen to be free of clashes.

    Raises:
        SourceError: absent, unreadable, or without such files.
    """
    path = Path(text)
    if text == "-":
        paths, root = _from_list(stdin or sys.stdin, Path.cwd(), "the list on stdin")
    elif text and os.path.isdir(text):
        paths, root = _files_of(walk_files(path), kind, path, exclude=exclude, place=f"the folder {shown(path)}"), path
    elif os.path.isfile(text) and path.suffix.lower() == ".txt":
        paths, root = _from_list_file(path)
    elif os.path.isfile(text):
        paths, root = [path], path.parent
    elif glob.has_magic(text):
        found = (Path(match) for match in glob.iglob(text, recursive=True) if os.path.isfile(match))
        root = _fixed_part(text)
        paths = _files_of(found, kind, root, exclude=exclude, place=f"the pattern '{text}'")
    else:
        raise SourceError(
            f"SOURCE '{text}' does not exist, or its folder may not be read: give a {kind.single}, a folder, a glob "
            "in quotes, a .txt list of paths, or - to read paths from stdin"
        )
    return paths, [_name(file, root) for file in paths]


def find_pictures(folder: Path) -> list[Path]:
    """The pictures of a folder and its sub-folders, sorted; hidden files and clips are left out.

    Raises:
        SourceError: no such folder, or no pictures in it; says what was found.
    """
    if not folder.is_dir():
        raise SourceError(f"the folder {shown(folder)} does not exist: give a folder of pictures")
    others, pictures = Counter[str](), []
    for file in walk_files(folder):
        if file.suffix.lower() in PICTURE_SUFFIXES:
            pictures.append(file)
        else:
            others[file.suffix.lower() or "no suffix"] += 1
    if not pictures:
        seen = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(8)) or "no files"
        raise SourceError(
            f"no pictures in the folder {shown(folder)}: found {seen}; looked for {' '.join(PICTURE_SUFFIXES)}"
        )
    return sorted(pictures, key=Path.as_posix)


def walk_files(folder: Path, above: tuple[str, ...] = ()) -> Iterator[Path]:
    """Files below a folder without hidden ones; links to folders are followed unless they lead back up.

    Raises:
        SourceError: a folder cannot be read.
    """
    here = os.path.realpath(folder)
    if here in above:
        return
    try:
        entries = list(os.scandir(folder))
    except OSError as error:
        raise SourceError(
            f"the folder {shown(folder)} cannot be read ({error.strerror}): change its rights, or name the pictures"
        ) from error
    for entry in entries:
        if entry.name.startswith("."):
            continue
        if entry.is_dir():
            yield from walk_files(Path(entry.path), (*above, here))
        elif entry.is_file():
            yield Path(entry.path)


def _files_of(
    files: Iterator[Path], kind: FileKind, root: Path, *, exclude: str | Path | None, place: str
) -> list[Path]:
    """The files with one of the suffixes, sorted, without those an earlier run wrote."""
    written = _is_written(root, exclude)
    taken: set[Path] = set()  # a glob with two ** finds a file twice
    others, left_out = Counter[str](), 0
    for file in files:
        if file.suffix.lower() not in kind.suffixes:
            others[file.suffix.lower() or "no suffix"] += 1
        elif written(file):
            left_out += 1
        else:
            taken.add(file)
    if not taken:
        raise SourceError(_no_files(kind, place, others, left_out))
    return sorted(taken, key=Path.as_posix)


def _is_written(root: Path, exclude: str | Path | None) -> Callable[[Path], bool]:
    """Whether a run wrote a file: it lies in the output folder `exclude`, or in a known sub-folder of a run below root.

    Where the root itself lies in the output folder, only its known sub-folders count.
    """
    real_root = Path(os.path.realpath(root))
    out = None if exclude is None else Path(os.path.realpath(exclude))
    own = () if out is None else (out, *(out / name for name in WRITTEN_FOLDERS))
    folders = [folder for folder in own if not real_root.is_relative_to(folder)]

    @functools.cache
    def _holds_outputs(folder: Path) -> bool:
        if folder == real_root or not folder.is_relative_to(real_root):
            return any(folder.is_relative_to(other) for other in folders)
        above = folder.parent
        by_a_run = folder.name in WRITTEN_FOLDERS and all((above / mark).is_file() for mark in _MARKS)
        return by_a_run or folder in folders or _holds_outputs(above)

    return lambda file: _holds_outputs(Path(os.path.realpath(file.parent)))


def _no_files(kind: FileKind, place: str, others: Counter[str], left_out: int) -> str:
    seen = ", ".join(f"{count} {suffix}" for suffix, count in others.most_common(8)) or "no files"
    more = f" and {left_out} {kind.plural} that an earlier run wrote" if left_out else ""
    return (
        f"no {kind.plural} in {place}: found {seen}{more}; looked for {' '.join(kind.suffixes)}. Convert the files, or "
        "list their paths in a .txt file, which is taken as it is"
    )


def _from_list_file(path: Path) -> tuple[list[Path], Path]:
    try:
        with path.open(encoding="utf-8-sig") as stream:
            return _from_list(stream, path.parent, f"the list {shown(path)}")
    except OSError as error:
        raise SourceError(f"the list {shown(path)} cannot be read ({error.strerror}): change its rights") from error


def _from_list(stream: TextIO, home: Path, place: str) -> tuple[list[Path], Path]:
    """Paths of a list, each once, and the folder that names are relative to: `home`, or what they have in common."""
    try:
        lines = [line.strip() for line in stream]
    except UnicodeDecodeError as error:
        raise SourceError(f"{place} is not UTF-8 text ({error.reason}): save it as UTF-8, one path a line") from error
    paths = {os.path.abspath(home / line): home / line for line in lines if line and not line.startswith("#")}
    if not paths:
        raise SourceError(f"{place} names no pictures: expected one path a line ({len(lines)} lines read)")
    root = Path(os.path.abspath(home))
    if not all(Path(path).is_relative_to(root) for path in paths):
        root = Path(_common_folder(list(paths), place))
    return list(paths.values()), root


def _common_folder(paths: list[str], place: str) -> str:
    try:
        return os.path.commonpath([os.path.dirname(path) for path in paths])
    except ValueError as error:  # two drives of Windows
        raise SourceError(f"{place} mixes drives ({error}): make one list for each drive") from error


def _fixed_part(pattern: str) -> Path:
    """The folder before the first wildcard."""
    parts = Path(pattern).parts
    return Path(*parts[: next(i for i, part in enumerate(parts) if glob.has_magic(part))])


def _name(file: Path, root: Path) -> str:
    """Path below the root without suffix, in text that any file system can hold."""
    relative = os.path.relpath(os.path.abspath(file), os.path.abspath(root))
    return shown(Path(relative).with_suffix("").as_posix())
