from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

import densevl
from densevl.core.errors import MemoryLimitError, OutputError, PictureError, ShapeError, WeightsError
from densevl.core.structures import Segmentation
from densevl.engine import Journal, fixed_groups
from tests.densevl.engine.fakes import FakeSource, RawWriter, infer, run, tree

ROOT = Path(densevl.__file__).resolve().parents[1]


def journal_names(out: Path) -> list[str]:
    return [json.loads(line)["name"] for line in (out / "journal.jsonl").read_text().splitlines()]


def no_infer(pictures: list[np.ndarray]) -> list[Segmentation]:
    raise AssertionError("nothing was left to infer")


@dataclass(frozen=True)
class FailingWriter(RawWriter):
    kind: str = "overlay"
    bad: str = "p005"

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
        if name.endswith(self.bad):
            raise ShapeError("no room for the legend")
        return super().encode(name, result, picture)


class CulpritInfer:
    """Fails whenever one picture is in the group."""

    def __init__(self, culprit: int, error: BaseException) -> None:
        self.culprit = FakeSource(culprit + 1).read(culprit)[0]
        self.error = error
        self.sizes: list[int] = []

    def __call__(self, pictures: list[np.ndarray]) -> list[Segmentation]:
        self.sizes.append(len(pictures))
        if any(np.array_equal(picture, self.culprit) for picture in pictures):
            raise self.error
        return infer(pictures)


def test_groups_are_fixed_by_position() -> None:
    assert fixed_groups(7, 3) == [range(0, 3), range(3, 6), range(6, 7)]
    assert fixed_groups(0, 3) == []


@pytest.mark.parametrize("group_size", [1, 4, 30])
@pytest.mark.parametrize("workers", [1, 3])
def test_a_run_writes_every_item_and_journals_in_source_order(tmp_path: Path, group_size: int, workers: int) -> None:
    source = FakeSource(22)
    counts: list[int] = []
    count = run(tmp_path, source, group_size, workers=workers, progress=counts.append)
    assert (count.done, count.resumed, count.failed) == (22, 0, ())
    assert sum(counts) == 22
    assert journal_names(tmp_path) == list(source.names())
    assert len(tree(tmp_path)) == 2 * 22
    with Journal(tmp_path / "journal.jsonl") as journal:
        record = journal.newest(source.names()[7])
    assert record is not None
    assert record.row["index"] == 7
    assert set(record.outputs) == {f"{kind}/{source.names()[7]}.raw" for kind in ("labels", "overlay")}


def test_an_empty_source_is_an_empty_run(tmp_path: Path) -> None:
    count = run(tmp_path, FakeSource(0))
    assert (count.done, count.resumed, count.failed) == (0, 0, ())


def test_the_same_command_finds_everything_finished(tmp_path: Path) -> None:
    run(tmp_path, FakeSource(10))
    journal = (tmp_path / "journal.jsonl").read_bytes()
    source = FakeSource(10)
    count = run(tmp_path, source, infer=no_infer)
    assert (count.done, count.resumed) == (0, 10)
    assert source.reads == []  # nothing was decoded
    assert (tmp_path / "journal.jsonl").read_bytes() == journal


def test_one_damaged_output_recomputes_its_group_and_rewrites_only_its_item(tmp_path: Path) -> None:
    run(tmp_path, FakeSource(12))
    whole = tree(tmp_path)
    (tmp_path / "labels/sub2/p005.raw").write_bytes(b"damaged")
    kept = tmp_path / "labels/sub0/p006.raw"
    before = kept.stat().st_mtime_ns
    culprit = CulpritInfer(11, AssertionError("a finished group was inferred"))
    count = run(tmp_path, FakeSource(12), infer=culprit)
    assert (count.done, count.resumed) == (1, 11)
    assert culprit.sizes == [4]
    assert tree(tmp_path) == whole
    assert kept.stat().st_mtime_ns == before


def test_other_settings_rerun_everything(tmp_path: Path) -> None:
    run(tmp_path, FakeSource(6))
    count = run(tmp_path, FakeSource(6), settings="s2")
    assert (count.done, count.resumed) == (6, 0)


def test_another_kind_of_output_reruns_everything(tmp_path: Path) -> None:
    run(tmp_path, FakeSource(6), writers=[RawWriter()])
    assert run(tmp_path, FakeSource(6)).done == 6
    assert run(tmp_path, FakeSource(6), writers=[RawWriter()]).resumed == 6


class SomeWriter(RawWriter):
    """Writes for even items only."""

    def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes | None:
        return super().encode(name, result, picture) if int(name[-3:]) % 2 == 0 else None


def test_a_writer_may_have_nothing_to_write_for_an_item(tmp_path: Path) -> None:
    fields = {"writers": [SomeWriter()], "wanted": lambda record: record.outputs}
    assert run(tmp_path, FakeSource(6), **fields).done == 6
    assert sorted(int(path[-7:-4]) for path in tree(tmp_path)) == [0, 2, 4]
    assert run(tmp_path, FakeSource(6), infer=no_infer, **fields).resumed == 6
    (tmp_path / "labels/sub2/p002.raw").unlink()
    count = run(tmp_path, FakeSource(6), group_size=1, **fields)
    assert (count.done, count.resumed) == (1, 5)


def test_an_unreadable_item_is_listed_and_the_others_are_done(tmp_path: Path) -> None:
    count = run(tmp_path, FakeSource(10, broken=frozenset({2, 9})))
    assert count.done == 8
    assert [(failure.index, failure.name) for failure in count.failed] == [(2, "sub2/p002"), (9, "sub0/p009")]
    assert count.failed[0].reason == "p002.png is cut off: make it again"
    assert not list(tmp_path.rglob("p002.raw"))


def test_a_failed_item_is_tried_again_and_alone_where_nothing_else_is_missing(tmp_path: Path) -> None:
    run(tmp_path, FakeSource(10, broken=frozenset({2})))
    count = run(tmp_path, FakeSource(10, broken=frozenset({2})), infer=no_infer)
    assert (count.done, count.resumed, len(count.failed)) == (0, 9, 1)
    count = run(tmp_path, FakeSource(10))
    assert (count.done, count.resumed, count.failed) == (1, 9, ())


def test_a_group_of_unreadable_items_infers_nothing(tmp_path: Path) -> None:
    count = run(tmp_path, FakeSource(4, broken=frozenset(range(4))), infer=no_infer)
    assert len(count.failed) == 4


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (ShapeError("1x1 is too small"), "1x1 is too small"),
        (MemoryLimitError("even the smallest tile"), "even the smallest tile"),
        (MemoryError("12 GiB"), "out of memory: 12 GiB"),
        (ZeroDivisionError("by zero"), "ZeroDivisionError: by zero"),
    ],
)
def test_where_a_group_fails_the_culprit_fails_alone(tmp_path: Path, error: Exception, reason: str) -> None:
    culprit = CulpritInfer(5, error)
    count = run(tmp_path, FakeSource(12), infer=culprit)
    assert culprit.sizes == [4, 4, 1, 1, 1, 1, 4]
    assert count.done == 11
    assert [(failure.index, failure.reason) for failure in count.failed] == [(5, reason)]


def test_an_item_that_cannot_be_encoded_fails_and_leaves_no_file(tmp_path: Path) -> None:
    count = run(tmp_path, FakeSource(12), writers=[RawWriter(), FailingWriter()])
    assert [failure.name for failure in count.failed] == ["sub2/p005"]
    assert count.done == 11
    assert not list(tmp_path.rglob("p005.raw"))


def test_stop_raises_the_first_unreadable_item_and_keeps_what_came_before(tmp_path: Path) -> None:
    with pytest.raises(PictureError, match=r"p009\.png"):
        run(tmp_path, FakeSource(40, broken=frozenset({9, 30})), on_error="stop")
    assert journal_names(tmp_path) == list(FakeSource(8).names())


@pytest.mark.parametrize("stage", ["infer", "encode"])
def test_stop_raises_an_error_of_every_stage(tmp_path: Path, stage: str) -> None:
    changes = (
        {"infer": CulpritInfer(5, ShapeError("no room"))}
        if stage == "infer"
        else {"writers": [RawWriter(), FailingWriter()]}
    )
    with pytest.raises(ShapeError, match="no room"):
        run(tmp_path, FakeSource(40), on_error="stop", **changes)
    assert journal_names(tmp_path)[:4] == list(FakeSource(4).names())


def test_a_full_disk_stops_the_run_under_skip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OutputError(f"cannot write {path}: No space left on device")

    monkeypatch.setattr("densevl.engine.pipeline.write_atomic", full)
    source = FakeSource(100)
    with pytest.raises(OutputError, match="No space left"):
        run(tmp_path, source)
    assert len(source.reads) < 40


def test_missing_weights_stop_the_run_under_skip(tmp_path: Path) -> None:
    with pytest.raises(WeightsError):
        run(tmp_path, FakeSource(40), infer=CulpritInfer(5, WeightsError("gone")))


def test_a_wrong_number_of_results_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="zip"):
        run(tmp_path, FakeSource(8), infer=lambda pictures: infer(pictures)[:-1])


def test_ctrl_c_keeps_what_is_inferred_ends_the_threads_and_resumes_to_the_same_bytes(tmp_path: Path) -> None:
    run(tmp_path / "whole", FakeSource(30))
    threads = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "cut", FakeSource(30), infer=CulpritInfer(17, KeyboardInterrupt()))
    assert threading.active_count() == threads
    assert journal_names(tmp_path / "cut") == list(FakeSource(16).names())
    assert not list((tmp_path / "cut").rglob("*.part"))
    count = run(tmp_path / "cut", FakeSource(30))
    assert (count.done, count.resumed) == (14, 16)
    assert tree(tmp_path / "cut") == tree(tmp_path / "whole")


def test_labels_depend_on_the_group_so_that_the_tests_of_resuming_can_fail(tmp_path: Path) -> None:
    run(tmp_path / "fours", FakeSource(8), 4)
    run(tmp_path / "ones", FakeSource(8), 1)
    assert tree(tmp_path / "fours") != tree(tmp_path / "ones")


@pytest.mark.parametrize(("group_size", "workers"), [(1, 2), (1, 4), (4, 2), (3, 4)])
def test_pictures_in_flight_stay_within_the_bound(tmp_path: Path, group_size: int, workers: int) -> None:
    source = FakeSource(80)
    run(tmp_path, source, group_size, workers=workers)
    ahead = workers + group_size - 1
    behind = max(workers, group_size)
    assert source.most_alive <= ahead + group_size + behind


def test_inference_waits_for_slow_writing(tmp_path: Path) -> None:
    waiting: list[int] = []
    ran_ahead = threading.Event()

    @dataclass(frozen=True)
    class SlowWriter(RawWriter):
        def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
            if name.endswith("p000"):
                assert not ran_ahead.wait(0.3), "inferred more than may wait"
            return super().encode(name, result, picture)

    def counting_infer(pictures: list[np.ndarray]) -> list[Segmentation]:
        waiting.extend([1] * len(pictures))
        if len(waiting) > 2 + 1 and not journal_names(tmp_path):  # as many as there are workers, and one in hand
            ran_ahead.set()
        return infer(pictures)

    count = run(tmp_path, FakeSource(40), 1, infer=counting_infer, writers=[SlowWriter()], on_error="stop")
    assert count.done == 40


def test_reading_goes_on_while_a_group_is_inferred(tmp_path: Path) -> None:
    source = FakeSource(6)
    next_was_read = threading.Event()
    read = source.read

    def noted_read(index: int) -> tuple[np.ndarray, str]:
        if index == 1:
            next_was_read.set()
        return read(index)

    def waiting_infer(pictures: list[np.ndarray]) -> list[Segmentation]:
        assert next_was_read.wait(10)
        return infer(pictures)

    source.read = noted_read  # type: ignore[method-assign]
    assert run(tmp_path, source, 1, infer=waiting_infer, on_error="stop").done == 6


def test_writing_goes_on_while_a_group_is_inferred(tmp_path: Path) -> None:
    first_was_written = threading.Event()
    calls: list[int] = []

    @dataclass(frozen=True)
    class NotingWriter(RawWriter):
        def encode(self, name: str, result: Segmentation, picture: np.ndarray) -> bytes:
            first_was_written.set()
            return super().encode(name, result, picture)

    def waiting_infer(pictures: list[np.ndarray]) -> list[Segmentation]:
        calls.append(len(pictures))
        assert len(calls) == 1 or first_was_written.wait(10)
        return infer(pictures)

    assert run(tmp_path, FakeSource(6), 1, infer=waiting_infer, writers=[NotingWriter()], on_error="stop").done == 6


@pytest.mark.slow
def test_a_run_killed_three_times_ends_with_the_bytes_of_an_unbroken_one(tmp_path: Path) -> None:
    command = [sys.executable, "-m", run.__module__, str(tmp_path / "killed"), "120"]
    run(tmp_path / "whole", FakeSource(120))
    journal = tmp_path / "killed" / "journal.jsonl"
    dice = random.Random(0)
    for _ in range(3):
        had = len(journal.read_bytes()) if journal.exists() else 0
        process = subprocess.Popen(command, cwd=ROOT)
        while not journal.exists() or len(journal.read_bytes()) <= had:
            with pytest.raises(subprocess.TimeoutExpired):  # it ends too early otherwise
                process.wait(0.002)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(dice.uniform(0.0, 0.15))
        process.kill()
        assert process.wait() < 0
    done = int(subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout)
    assert 0 < done < 120
    assert tree(tmp_path / "killed") == tree(tmp_path / "whole")
    with Journal(journal) as killed, Journal(tmp_path / "whole" / "journal.jsonl") as whole:
        assert all(killed.newest(name) == whole.newest(name) for name in FakeSource(120).names())
