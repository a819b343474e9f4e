"""One run a folder: a lock that the system drops when the process ends, however it ends."""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import BinaryIO

from densevl.core.errors import OutputError

try:
    import fcntl
except ImportError:  # Windows
    import msvcrt

    fcntl = None  # type: ignore[assignment]

logger = logging.getLogger(__name__)

_LOCK_BYTE = 1 << 20  # far behind the process id, which stays readable while the byte is locked (Windows)


def take_lock(path: Path) -> BinaryIO:
    """Lock a run's own file, and with it the run's folder, for this process; closing what is returned lets go.

    Raises:
        OutputError: another run holds it; names its process.
    """
    stream = path.with_name(f".{path.name}.lock").open("a+b", buffering=0)
    try:
        _lock_file(stream)
    except (BlockingIOError, PermissionError) as error:
        stream.seek(0)
        holder = stream.read(32).decode("ascii", "replace")
        stream.close()
        raise OutputError(
            f"another run (process {holder}) is writing {path.parent}: wait for it, stop it, or choose another --out"
        ) from error
    stream.truncate(0)
    stream.write(str(os.getpid()).encode("ascii"))
    return stream


def _lock_file(stream: BinaryIO) -> None:
    if fcntl is None:
        stream.seek(_LOCK_BYTE)
        msvcrt.locking(stream.fileno(), msvcrt.LK_NBLCK, 1)
        return
    try:
        fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise
    except OSError as error:  # some network file systems have no locks
        logger.warning("no lock on %s (%s): start only one run into this folder", stream.name, error.strerror)
