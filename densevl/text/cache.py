"""Vectors on disk, a small file each; a damaged one is as good as none."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from densevl.core.errors import OutputError
from densevl.core.files import sha256_bytes, write_atomic

logger = logging.getLogger(__name__)

_DIGEST_BYTES = hashlib.sha256().digest_size


class VectorCache:
    """float32 vectors by name. A file holds the vector and then a hash of key, name and vector.

    Args:
        root: the folder; None keeps nothing.
        key: what else the vectors depend on, such as weights and templates.
    """

    def __init__(self, root: Path | None, key: Sequence[str]) -> None:
        self._salt = "\0".join(key)
        self._folder = None if root is None else root / sha256_bytes(self._salt.encode())[:16]

    def read(self, name: str) -> np.ndarray | None:
        """The vector [D] of a name, or None where it is missing or damaged."""
        if self._folder is None:
            return None
        try:
            content = self._path(name).read_bytes()
        except OSError:
            return None
        vector, digest = content[:-_DIGEST_BYTES], content[-_DIGEST_BYTES:]
        if digest != self._digest(name, vector):
            return None
        return np.frombuffer(vector, dtype="<f4").copy()

    def write(self, name: str, vector: np.ndarray) -> None:
        """Keep the vector [D] of a name; where the folder cannot be written, nothing is kept and the log says so."""
        if self._folder is None:
            return
        content = vector.astype("<f4").tobytes()
        try:
            write_atomic(self._path(name), content + self._digest(name, content))
        except OutputError as error:
            logger.info("text vectors are not kept: %s", error)
            self._folder = None

    def _path(self, name: str) -> Path:
        return self._folder / f"{sha256_bytes(name.encode())[:32]}.vec"

    def _digest(self, name: str, content: bytes) -> bytes:
        return hashlib.sha256(f"{self._salt}\0{name}\0".encode() + content).digest()
