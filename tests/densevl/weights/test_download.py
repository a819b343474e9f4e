from __future__ import annotations

import hashlib
import logging
from pathlib import Path

import huggingface_hub
import pytest
from huggingface_hub.errors import EntryNotFoundError, LocalEntryNotFoundError

from densevl.core.errors import WeightsError
from densevl.weights.download import fetch, fetch_from_hub
from tests.densevl.weights.servers import serving

CONTENT = bytes(range(256)) * 1000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def part_of(target: Path) -> Path:
    return target.with_name(f"{target.name}.part")


def test_a_whole_file_arrives_and_leaves_no_part(tmp_path: Path) -> None:
    target = tmp_path / "new" / "weights.bin"
    with serving(CONTENT) as server:
        assert fetch(server.url, target, sha256=SHA256) == target
    assert target.read_bytes() == CONTENT
    assert not part_of(target).exists()


def test_size_and_target_are_said_before_the_bytes_come(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    with serving(b"x" * 2_000_000) as server, caplog.at_level(logging.WARNING):
        fetch(server.url, tmp_path / "weights.bin")
    assert "2 MB" in caplog.text
    assert str(tmp_path / "weights.bin") in caplog.text


def test_a_wrong_hash_is_an_error_and_nothing_stays(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    with serving(CONTENT[:-1] + b"!") as server, pytest.raises(WeightsError, match=f"expected {SHA256}"):
        fetch(server.url, target, sha256=SHA256)
    assert list(tmp_path.iterdir()) == []


def test_a_cut_download_says_so_keeps_its_part_and_goes_on_there(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    with serving(CONTENT) as server:
        server.cut = 100_000
        with pytest.raises(WeightsError, match=r"100000 of 256000 bytes.*goes on from there"):
            fetch(server.url, target, sha256=SHA256)
        assert not target.exists()
        assert part_of(target).read_bytes() == CONTENT[:100_000]
        server.cut = len(CONTENT)
        fetch(server.url, target, sha256=SHA256)
        assert server.seen == [None, "bytes=100000-"]
    assert target.read_bytes() == CONTENT


def test_a_server_without_ranges_starts_again(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    part_of(target).write_bytes(b"old")
    with serving(CONTENT) as server:
        server.ranges = False
        fetch(server.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_a_part_longer_than_the_file_starts_again(tmp_path: Path) -> None:
    target = tmp_path / "weights.bin"
    part_of(target).write_bytes(CONTENT + b"more")
    with serving(CONTENT) as server:
        fetch(server.url, target, sha256=SHA256)
    assert target.read_bytes() == CONTENT


def test_a_refusal_of_the_server_is_a_weights_error(tmp_path: Path) -> None:
    with serving(CONTENT) as server:
        server.code = 404
        with pytest.raises(WeightsError, match="404"):
            fetch(server.url, tmp_path / "weights.bin")
    assert not (tmp_path / "weights.bin").exists()


def test_a_folder_that_cannot_be_made_is_a_weights_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with serving(CONTENT) as server, pytest.raises(WeightsError, match="cannot download"):
        fetch(server.url, tmp_path / "file" / "weights.bin")
    assert server.seen == []


def test_the_hub_gives_the_first_file_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    def download(repository: str, file: str) -> str:
        if file == "a.safetensors":
            raise EntryNotFoundError("404")
        return f"/hub/{repository}/{file}"

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    assert fetch_from_hub("owner/name", ("a.safetensors", "b.bin")) == Path("/hub/owner/name/b.bin")
    with pytest.raises(WeightsError, match=r"none of a\.safetensors"):
        fetch_from_hub("owner/name", ("a.safetensors",))


@pytest.mark.parametrize("error", [LocalEntryNotFoundError("no connection"), ValueError("bad token")])
def test_whatever_the_hub_raises_is_a_weights_error(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def download(repository: str, file: str) -> str:
        raise error

    monkeypatch.setattr(huggingface_hub, "hf_hub_download", download)
    with pytest.raises(WeightsError, match=str(error)):
        fetch_from_hub("owner/name", ("a.bin", "b.bin"))
