"""Files written whole or not at all, and their hashes."""

from __future__ import annotations

import contextlib
import hashlib
import os
import pickle
import tempfile
import zipfile
from pathlib import Path

from densevl.core.errors import OutputError

FIELDS = "fields"  # key of a safetensors file's metadata: what stands beside its tensors, as JSON
# what reading a damaged file of tensors raises
UNREADABLE = (OSError, RuntimeError, ValueError, EOFError, LookupError, pickle.UnpicklingError, zipfile.BadZipFile)
_CHUNK = 1 << 20


def sha256_bytes(data: bytes) -> str:
    """Hex sha256 of bytes."""
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: Path) -> str:
    """Hex sha256 of a file, read in chunks."""
    digest = hashlib.sha256()
    with path.open("rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def write_atomic(path: Path, data: bytes) -> None:
    """Write beside the target, fsync, rename: after a crash the old file or the new one is there, never a part.

    Raises:
        OutputError: the folder cannot be written or the disk is full.
    """
    name = sha256_bytes(os.fsencode(path.name))[:16]  # short: the file's own name may be as long as a name can be
    part = path.with_name(f".{name}.{os.getpid()}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):  # the folder may be a file, and the part nowhere
            part.unlink()
        raise OutputError(f"cannot write {path}: {error.strerror or error}; choose another --out") from error


def require_writable(folder: Path) -> None:
    """Make a folder and see that files can be written into it.

    Raises:
        OutputError: they cannot.
    """
    if folder.is_file():
        raise OutputError(f"{folder} is a file where a folder should be: choose another --out")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):  # of a name of its own: several processes may begin at once
            pass
    except OSError as error:
        raise OutputError(f"cannot write {folder}: {error.strerror or error}; choose another --out") from error
