from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from densevl.text.cache import VectorCache

VECTOR = np.arange(5, dtype=np.float32)


def test_what_is_written_is_read(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, ("weights", "templates"))
    assert cache.read("cat") is None
    cache.write("cat", VECTOR)
    assert np.array_equal(cache.read("cat"), VECTOR)
    assert np.array_equal(VectorCache(tmp_path, ("weights", "templates")).read("cat"), VECTOR)


@pytest.mark.parametrize("key", [("other", "templates"), ("weights", "other"), ("weightstemplates", "")])
def test_other_weights_or_templates_have_vectors_of_their_own(tmp_path: Path, key: tuple[str, str]) -> None:
    VectorCache(tmp_path, ("weights", "templates")).write("cat", VECTOR)
    assert VectorCache(tmp_path, key).read("cat") is None
    assert VectorCache(tmp_path, ("weights", "templates")).read("Cat") is None


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b[4:], lambda b: b"", lambda b: b[:3] + b"\x01" + b[4:]]
)
def test_a_damaged_file_is_as_good_as_none(tmp_path: Path, damage) -> None:
    cache = VectorCache(tmp_path, ("weights", "templates"))
    cache.write("cat", VECTOR)
    (file,) = [path for path in tmp_path.rglob("*") if path.is_file()]
    file.write_bytes(damage(file.read_bytes()))
    assert cache.read("cat") is None
    cache.write("cat", VECTOR)
    assert np.array_equal(cache.read("cat"), VECTOR)


def test_a_file_under_another_name_is_not_taken(tmp_path: Path) -> None:
    cache = VectorCache(tmp_path, ("weights", "templates"))
    cache.write("cat", VECTOR)
    cache.write("dog", VECTOR + 1)
    first, second = [path for path in tmp_path.rglob("*") if path.is_file()]
    first.write_bytes(second.read_bytes())
    assert sum(cache.read(name) is None for name in ("cat", "dog")) == 1


def test_no_folder_keeps_nothing(tmp_path: Path) -> None:
    cache = VectorCache(None, ("weights", "templates"))
    cache.write("cat", VECTOR)
    assert cache.read("cat") is None


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    cache = VectorCache(tmp_path / "file", ("weights", "templates"))
    cache.write("cat", VECTOR)
    cache.write("dog", VECTOR)
    assert cache.read("cat") is None
