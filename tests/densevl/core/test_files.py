"""Files are written whole or not at all."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from densevl.core.errors import OutputError
from densevl.core.files import require_writable, sha256_bytes, sha256_file, write_atomic


def test_a_file_is_written_and_replaced_and_leaves_nothing_beside(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "a.bin"
    write_atomic(path, b"one")
    write_atomic(path, b"two")
    assert path.read_bytes() == b"two"
    assert list(path.parent.iterdir()) == [path]


def test_names_may_be_as_long_as_the_file_system_allows(tmp_path: Path) -> None:
    path = tmp_path / ("n" * 251 + ".png")
    write_atomic(path, b"x")
    assert path.read_bytes() == b"x"


def test_what_cannot_be_written_says_so_and_keeps_the_old_file(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"x")
    with pytest.raises(OutputError, match="choose another --out"):
        write_atomic(tmp_path / "file" / "a.bin", b"x")
    with pytest.raises(OutputError, match="cannot write"):
        write_atomic(tmp_path, b"x")
    assert (tmp_path / "file").read_bytes() == b"x"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file"]


def test_hashes_of_bytes_and_files_agree(tmp_path: Path) -> None:
    data = b"a" * (3 << 20)
    (tmp_path / "a").write_bytes(data)
    assert sha256_file(tmp_path / "a") == sha256_bytes(data)


def test_a_writable_folder_is_made_and_stays_empty(tmp_path: Path) -> None:
    require_writable(tmp_path / "new")
    assert list((tmp_path / "new").iterdir()) == []
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError):
        require_writable(tmp_path / "file")


def test_many_may_look_at_once_whether_a_folder_is_writable(tmp_path: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(require_writable, [tmp_path / "out"] * 400))
    assert list((tmp_path / "out").iterdir()) == []
