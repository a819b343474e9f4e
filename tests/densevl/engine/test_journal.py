from __future__ import annotations

import errno
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from densevl.core.errors import OutputError
from densevl.core.files import sha256_bytes, write_atomic
from densevl.engine.journal import Journal, Record

DATA = b"label bytes"


def write_item(journal: Journal, name: str, settings: str = "s1", data: bytes = DATA) -> Record:
    path = f"labels/{name}.png"
    write_atomic(journal.folder / path, data)
    outputs = {path: {"size": len(data), "sha256": sha256_bytes(data)}}
    record = Record(name, "input", settings, outputs, {"pixels": [1, 2]})
    journal.append(record)
    return record


def is_finished(journal: Journal, name: str, settings: str = "s1", input_sha256: str = "input") -> bool:
    wanted = [f"labels/{name}.png"]
    return journal.finished(name, input_sha256=input_sha256, settings=settings, wanted=wanted) is not None


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "out" / "journal.jsonl"


def test_a_record_comes_back_as_it_was_written(path: Path) -> None:
    with Journal(path) as journal:
        record = write_item(journal, "a/straße")
        assert journal.newest("a/straße") == record
        assert journal.newest("b") is None
    with Journal(path) as journal:
        assert journal.newest("a/straße") == record
        assert is_finished(journal, "a/straße")


def test_a_name_that_is_no_unicode_comes_back(path: Path) -> None:
    name = os.fsdecode(b"caf\xe9")
    with Journal(path) as journal:
        journal.append(Record(name, "input", "s1", {}, {}))
    with Journal(path) as journal:
        assert journal.newest(name) is not None


def test_another_setting_or_input_is_not_finished(path: Path) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
        assert is_finished(journal, "a")
        assert not is_finished(journal, "a", settings="s2")
        assert not is_finished(journal, "a", input_sha256="other")


@pytest.mark.parametrize("damage", ["changed byte", "shorter", "gone", "folder"])
def test_a_damaged_output_is_not_finished(path: Path, damage: str) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
        output = journal.folder / "labels" / "a.png"
        if damage == "changed byte":
            output.write_bytes(DATA[:-1] + b"!")
        elif damage == "shorter":
            output.write_bytes(DATA[:-1])
        else:
            output.unlink()
        if damage == "folder":
            output.mkdir()
        assert not is_finished(journal, "a")


def test_an_output_that_was_never_written_is_not_finished(path: Path) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
        wanted = ["labels/a.png", "scores/a.npz"]
        assert journal.finished("a", input_sha256="input", settings="s1", wanted=wanted) is None


def test_a_failed_item_is_not_finished(path: Path) -> None:
    with Journal(path) as journal:
        record = write_item(journal, "a")
        journal.append(replace(record, error="cut off"))
        assert not is_finished(journal, "a")


def test_a_torn_last_line_is_cut_and_its_item_runs_again(path: Path) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
        write_item(journal, "b")
    whole = path.read_bytes()
    first = whole.index(b"\n") + 1
    for length in range(first, len(whole)):
        path.write_bytes(whole[:length])
        with Journal(path) as journal:
            assert is_finished(journal, "a")
            assert not is_finished(journal, "b")
        assert path.read_bytes() == whole[:first]


def test_a_journal_goes_on_after_a_torn_line(path: Path) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
    path.write_bytes(path.read_bytes() + b'{"name": "b", "inp')
    with Journal(path) as journal:
        write_item(journal, "b")
    with Journal(path) as journal:
        assert is_finished(journal, "a")
        assert is_finished(journal, "b")


@pytest.mark.parametrize("damage", [b"\x00" * 20, b'{"name": 1', b"[]", b'{"name": "b"}', b"\xff\xfe"])
def test_a_damaged_line_in_the_middle_costs_only_its_item(
    path: Path, damage: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    with Journal(path) as journal:
        for name in "abc":
            write_item(journal, name)
    lines = path.read_bytes().splitlines()
    lines[1] = damage
    path.write_bytes(b"\n".join(lines) + b"\n")
    with Journal(path) as journal:
        assert [is_finished(journal, name) for name in "abc"] == [True, False, True]
    assert "cannot be read" in caplog.text


def test_a_file_that_is_no_journal_is_not_emptied(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"my\nown\nnotes\n")
    Journal(path).close()
    assert path.read_bytes() == b"my\nown\nnotes\n"


def test_the_newest_record_wins_and_outdated_ones_are_dropped_in_time(path: Path) -> None:
    for round_number in range(8):
        with Journal(path) as journal:
            for name in "ab":
                write_item(journal, name, settings=f"s{round_number}")
            assert not is_finished(journal, "a", settings="s0") or round_number == 0
            assert is_finished(journal, "a", settings=f"s{round_number}")
    with Journal(path) as journal:
        assert is_finished(journal, "b", settings="s7")
    assert len(path.read_bytes().splitlines()) <= 3 * 2


def test_two_runs_into_one_folder_are_refused(path: Path) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
        with pytest.raises(OutputError, match=rf"process {os.getpid()}\).*another --out"):
            Journal(path)
        assert is_finished(journal, "a")
    Journal(path).close()


def test_the_lock_ends_with_its_process(path: Path) -> None:
    code = "import os, pathlib, sys; from densevl.engine import Journal; "
    code += "Journal(pathlib.Path(sys.argv[1])); os._exit(9)"
    assert subprocess.run([sys.executable, "-c", code, str(path)], check=False).returncode == 9
    Journal(path).close()


def test_a_folder_that_cannot_be_made_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("a file")
    with pytest.raises(OutputError, match="choose another --out"):
        Journal(tmp_path / "out" / "journal.jsonl")


def test_a_full_disk_leaves_the_journal_whole(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Journal(path) as journal:
        write_item(journal, "a")
        before = path.read_bytes()

        def full(descriptor: int) -> None:
            if os.fstat(descriptor).st_size > len(before):
                raise OSError(errno.ENOSPC, "No space left on device")

        with monkeypatch.context() as patch:
            patch.setattr("os.fsync", full)
            with pytest.raises(OutputError, match="No space left"):
                journal.append(Record("b" * 5000, "input", "s1", {}, {}))
        assert path.read_bytes() == before
        write_item(journal, "c")
    with Journal(path) as journal:
        assert is_finished(journal, "c")
