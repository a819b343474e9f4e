"""Parts of a run: what each does, and what their journals say together."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from densevl.core.errors import OutputError, UsageError
from densevl.engine.journal import Journal, Record
from densevl.engine.ranks import Ranks
from densevl.engine.shards import Journals, Part, PartJournal, hash_inputs, read_shard


def record(name: str, *, sha: str = "sha", settings: str = "s", row: int = 0, error: str = "") -> Record:
    return Record(name, sha, settings, {}, {"value": row}, error)


def write(path: Path, *records: Record, seconds: int = 0) -> None:
    path.write_bytes(b"".join(one.to_line() for one in records))
    os.utime(path, (seconds, seconds))


def test_shards_are_counted_from_one() -> None:
    assert (read_shard(None), read_shard("2/4")) == (Part(0, 1), Part(1, 4))
    for text in ("0/4", "5/4", "1/0", "half", "1"):
        with pytest.raises(UsageError, match="--shard"):
            read_shard(text)


def test_parts_together_are_all_items_once() -> None:
    parts = [Part(index, 3).of(range(10)) for index in range(3)]
    assert sorted(item for part in parts for item in part) == list(range(10))
    assert Part().of("abc") == "abc"


def test_every_part_has_a_journal_of_its_own() -> None:
    assert [Part(index, 2).journal for index in range(2)] == ["journal-1-of-2.jsonl", "journal-2-of-2.jsonl"]
    assert Part().journal == "journal.jsonl"


def test_processes_divide_what_shards_do_not() -> None:
    assert Part(1, 2).among(Ranks()) == Part(1, 2)
    assert Part().among(Ranks(2, 4)) == Part(2, 4)
    with pytest.raises(UsageError, match="--shard and torchrun"):
        Part(0, 2).among(Ranks(0, 2))


def test_an_answer_outweighs_a_failure_and_the_journal_opened_last_an_older_one(tmp_path: Path) -> None:
    write(tmp_path / "journal.jsonl", record("a", row=1), record("b", row=1), record("c", error="gone"), seconds=10)
    write(tmp_path / "journal-1-of-2.jsonl", record("a", row=2), record("c", row=2), seconds=20)
    write(tmp_path / "journal-2-of-2.jsonl", record("b", error="gone"), record("d", settings="other"), seconds=30)
    with Journals(tmp_path, "s") as journals:
        found = {name: journals.get(name) for name in journals}
        assert (len(journals), journals.get("d")) == (3, None)
    assert {name: one.row["value"] for name, one in found.items() if one} == {"a": 2, "b": 1, "c": 2}


def test_a_torn_line_and_a_journal_that_is_left_out_do_not_count(tmp_path: Path) -> None:
    write(tmp_path / "journal.jsonl", record("a"), record("b"))
    with (tmp_path / "journal.jsonl").open("r+b") as stream:
        stream.truncate((tmp_path / "journal.jsonl").stat().st_size - 3)
    write(tmp_path / "journal-1-of-2.jsonl", record("c"))
    with Journals(tmp_path, "s", but="journal-1-of-2.jsonl") as journals:
        assert list(journals) == ["a"]


def test_what_another_part_has_finished_is_finished_here(tmp_path: Path) -> None:
    with PartJournal(tmp_path, Part(0, 2), "s") as first:
        first.append(record("a"))
        first.append(record("b", error="gone"))
    with PartJournal(tmp_path, Part(), "s") as whole:
        assert whole.finished("a", input_sha256="sha", settings="s", wanted=()) is not None
        assert whole.finished("a", input_sha256="new", settings="s", wanted=()) is None
        assert whole.finished("b", input_sha256="sha", settings="s", wanted=()) is None
        whole.append(record("b"))
        assert whole.finished("b", input_sha256="sha", settings="s", wanted=()) is not None
    with PartJournal(tmp_path, Part(0, 2), "s") as first:  # its own failure does not outweigh the other's answer
        assert first.finished("b", input_sha256="sha", settings="s", wanted=()) is not None


def test_two_parts_write_at_once_and_one_part_only_once(tmp_path: Path) -> None:
    second = PartJournal(tmp_path, Part(1, 2), "s")
    with PartJournal(tmp_path, Part(0, 2), "s"), second, pytest.raises(OutputError, match="another run"):
        PartJournal(tmp_path, Part(1, 2), "s")
    Journal(tmp_path / Part(1, 2).journal).close()  # free again


def test_the_hash_of_the_inputs_follows_their_order_and_nothing_else() -> None:
    one, two = record("a", sha="1"), record("b", sha="2", row=5)
    assert hash_inputs([one, two]) == hash_inputs([record("x", sha="1"), record("y", sha="2")])
    assert hash_inputs([one, two]) != hash_inputs([two, one])
