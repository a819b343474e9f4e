"""Downloads: streamed beside the target, resumed after a cut, hashed, and only then put in place."""

from __future__ import annotations

import logging
import os
import shutil
from collections.abc import Sequence
from http.client import HTTPException
from pathlib import Path
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from densevl.core.errors import WeightsError
from densevl.core.files import sha256_file

logger = logging.getLogger(__name__)

_CHUNK = 1 << 20
_TIMEOUT_SEC = 30
_RANGE_NOT_SATISFIABLE = 416


def fetch(url: str, target: Path, *, sha256: str | None = None) -> Path:
    """Download one file. A cut download is kept as `<target>.part`, and the next call goes on there.

    Args:
        url: http or https.
        target: where the file goes; its folder is made.
        sha256: what the file must hash to, where known.

    Returns:
        `target`.

    Raises:
        WeightsError: no connection, cut off, wrong hash (the part is removed), or the folder cannot be written.
    """
    part = target.with_name(f"{target.name}.part")
    try:
        part.parent.mkdir(parents=True, exist_ok=True)
        _stream(url, part)
    except (OSError, HTTPException) as error:
        kept = f" {part} keeps what came: the same command goes on from there." if part.exists() else ""
        raise WeightsError(f"cannot download {url} to {target}: {error}.{kept}") from error
    if sha256 is not None and (found := sha256_file(part)) != sha256:
        part.unlink()
        raise WeightsError(f"{url} gave another file than the published one: sha256 {found}, expected {sha256}")
    os.replace(part, target)
    return target


def fetch_from_hub(repository: str, files: Sequence[str]) -> Path:
    """The first of `files` that a hub repository has, through the hub's own client and cache.

    Raises:
        WeightsError: whatever the client says.
    """
    from huggingface_hub import hf_hub_download
    from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

    logger.warning("downloading %s from the hub into its cache", repository)
    for file in files:
        try:
            return Path(hf_hub_download(repository, file))
        except LocalEntryNotFoundError as error:  # no connection: an EntryNotFoundError too, but no other file helps
            raise WeightsError(f"cannot reach the hub for {repository}: {error}") from error
        except EntryNotFoundError:
            continue
        except Exception as error:  # the client raises many kinds; all a user can do is read them
            raise WeightsError(f"the hub gave no {repository}/{file}: {error}") from error
    raise WeightsError(f"the hub's {repository} has none of {', '.join(files)}")


def _stream(url: str, part: Path) -> None:
    have = part.stat().st_size if part.exists() else 0
    request = Request(url, headers={"Range": f"bytes={have}-"} if have else {})
    try:
        response = urlopen(request, timeout=_TIMEOUT_SEC)
    except HTTPError as error:
        if error.code != _RANGE_NOT_SATISFIABLE or not have:
            raise
        part.unlink()  # the part is no beginning of this file: start again
        return _stream(url, part)
    with response:
        start = have if response.status == 206 else 0
        length = response.headers["Content-Length"]
        size = start + int(length) if length else None
        logger.warning("downloading %s (%s) to %s", url, f"{size / 1e6:.0f} MB" if size else "unknown size", part)
        with part.open("ab" if start else "wb") as stream:
            shutil.copyfileobj(response, stream, _CHUNK)
    if size is not None and part.stat().st_size != size:
        raise ConnectionError(f"the connection closed after {part.stat().st_size} of {size} bytes")
